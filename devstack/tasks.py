"""What developers do, each task a list of stages: see `make help`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from devstack.install.node import find_node
from devstack.install.web import WEB, is_web_current
from devstack.settings import REPO, VENV, is_set
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


def type_stages(env: Mapping[str, str]) -> list[Stage]:
    """Return the type checks; that of web/ needs its packages, which CI may not lack."""
    stages = [Stage("types", _tool("mypy", "--no-error-summary"))]
    if is_web_current() or is_set(env, "CI"):
        tsc = str(WEB / "node_modules" / "typescript" / "bin" / "tsc")
        stages.append(Stage("web types", (str(find_node(env).program), tsc, "-p", str(WEB))))
    return stages


def tier_stages(tier: str, arguments: Sequence[str] = ()) -> list[Stage]:
    """Return the tests of a tier. What `arguments` select may be in other tiers."""
    accepted = frozenset({0, PYTEST_FOUND_NOTHING} if arguments else {0})
    argv = (sys.executable, "-m", "pytest", f"tests/{tier}", *arguments)
    return [Stage(tier, argv, accepted, is_quiet=False)]


def all_stages(env: Mapping[str, str], arguments: Sequence[str] = ()) -> list[Stage]:
    """Return everything that `make test` checks, the quick and telling things first."""
    tiers = [stage for tier in TIERS for stage in tier_stages(tier, arguments)]
    return [*lint_stages(), *type_stages(env), *tiers]


def audit_stages() -> list[Stage]:
    """Return the search for known vulnerabilities, lock by lock.

    Strict: a package that the database was not asked about is a failure, not a pass.
    """
    options = ("--strict", "--require-hashes", "--disable-pip", "--progress-spinner", "off")
    return [
        Stage(lock.stem, _tool("pip-audit", *options, "-r", str(lock.relative_to(REPO))))
        for lock in sorted((REPO / "requirements").glob("*.lock"))
    ]


def bench_command(arguments: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the command that measures the store, or what the first word names.

    Not a stage: its output is the result.
    """
    if arguments[:1] == ["starts"]:
        return (sys.executable, "-m", "bench.starts", *arguments[1:])
    return (sys.executable, "-m", "bench.store", *arguments)


def run_stages(stages: Sequence[Stage], env: Mapping[str, str], terminal: Terminal) -> int:
    """Run all stages, whatever becomes of the ones before; return 0 when all passed."""
    results = [(stage, *_run_stage(stage, env, terminal)) for stage in stages]
    has_passed = all(code in stage.accepted for stage, code, _ in results)
    if all(stage.is_quiet for stage in stages):
        return 0 if has_passed else 1
    terminal.title("── summary")
    for stage, code, seconds in results:
        _tell(terminal, stage, seconds, code)
    if all(code == PYTEST_FOUND_NOTHING for stage, code, _ in results if not stage.is_quiet):
        terminal.error("no test fits these arguments.")
        has_passed = False
    return 0 if has_passed else 1


def _run_stage(stage: Stage, env: Mapping[str, str], terminal: Terminal) -> tuple[int, float]:
    """Return the exit status of a stage and how many seconds it took."""
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
    seconds = time.monotonic() - began
    if stage.is_quiet:
        _tell(terminal, stage, seconds, done.returncode)
        if done.returncode not in stage.accepted:
            terminal.line(done.stdout.rstrip())
    return done.returncode, seconds


def _tell(terminal: Terminal, stage: Stage, seconds: float, code: int) -> None:
    terminal.step(stage.name, "ok" if code in stage.accepted else "failed", seconds)


def _tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(BIN / name), *arguments)
