"""What developers do, each task a list of stages: see `make help`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from devstack.settings import REPO, VENV
from devstack.terminal import Terminal

BIN = VENV / "bin"
TIERS = ("unit", "integration", "e2e")
PYTEST_FOUND_NOTHING = 5


@dataclass(frozen=True)
class Stage:
    """One command of a task; a quiet one's output is shown only when it fails."""

    name: str
    argv: tuple[str, ...]
    accepted: frozenset[int] = frozenset({0})
    is_quiet: bool = True


def lint_stages() -> list[Stage]:
    """Return the checks of form; hadolint reads the Dockerfiles there are."""
    dockerfiles = sorted(path.name for path in REPO.glob("Dockerfile*"))
    stages = [
        Stage("ruff", _tool("ruff", "check", "--quiet")),
        Stage("format", _tool("ruff", "format", "--check", "--quiet")),
        Stage("imports", _tool("lint-imports", "--no-cache")),
        Stage("spelling", _tool("codespell")),
    ]
    if dockerfiles:
        stages.append(Stage("dockerfiles", _tool("hadolint", *dockerfiles)))
    return stages


def type_stages() -> list[Stage]:
    """Return the type check."""
    return [Stage("types", _tool("mypy", "--no-error-summary"))]


def tier_stages(tier: str, arguments: Sequence[str] = ()) -> list[Stage]:
    """Return the tests of a tier. Only what `arguments` select may be nothing."""
    accepted = frozenset({0, PYTEST_FOUND_NOTHING} if arguments else {0})
    argv = (sys.executable, "-m", "pytest", f"tests/{tier}", *arguments)
    return [Stage(tier, argv, accepted, is_quiet=False)]


def all_stages(arguments: Sequence[str] = ()) -> list[Stage]:
    """Return everything that `make test` checks, the quick and telling things first."""
    tiers = [stage for tier in TIERS for stage in tier_stages(tier, arguments)]
    return [*lint_stages(), *type_stages(), *tiers]


def audit_stages() -> list[Stage]:
    """Return the search for known vulnerabilities, lock by lock.

    Strict: a package that the database was not asked about is a failure, not a pass.
    """
    options = ("--strict", "--require-hashes", "--disable-pip", "--progress-spinner", "off")
    return [
        Stage(lock.stem, _tool("pip-audit", *options, "-r", str(lock.relative_to(REPO))))
        for lock in sorted((REPO / "requirements").glob("*.lock"))
    ]


def run_stages(stages: Sequence[Stage], env: Mapping[str, str], terminal: Terminal) -> int:
    """Run all stages, whatever becomes of the ones before; return 0 when all passed."""
    results = [(stage, *_run_stage(stage, env, terminal)) for stage in stages]
    if not all(stage.is_quiet for stage in stages):
        terminal.title("── summary")
        for stage, has_passed, seconds in results:
            _tell(terminal, stage, seconds, has_passed=has_passed)
    return 0 if all(has_passed for _, has_passed, _ in results) else 1


def _run_stage(stage: Stage, env: Mapping[str, str], terminal: Terminal) -> tuple[bool, float]:
    """Return whether a stage passed and how many seconds it took."""
    began = time.monotonic()
    if not stage.is_quiet:
        terminal.title(f"── {stage.name}")
    done = subprocess.run(
        stage.argv,
        cwd=REPO,
        env=dict(env),
        check=False,
        stdout=subprocess.PIPE if stage.is_quiet else None,
        stderr=subprocess.STDOUT if stage.is_quiet else None,
        text=True,
    )
    has_passed, seconds = done.returncode in stage.accepted, time.monotonic() - began
    if stage.is_quiet:
        _tell(terminal, stage, seconds, has_passed=has_passed)
        if not has_passed:
            terminal.line(done.stdout.rstrip())
    return has_passed, seconds


def _tell(terminal: Terminal, stage: Stage, seconds: float, *, has_passed: bool) -> None:
    terminal.step(stage.name, "ok" if has_passed else "failed", seconds)


def _tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(BIN / name), *arguments)
