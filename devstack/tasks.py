"""What developers do, each task a list of stages: see `make help`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from devstack.install.node import find_node
from devstack.install.web import WEB, is_web_current
from devstack.settings import REPO, VENV, is_set
from devstack.terminal import Terminal

BIN = VENV / "bin"
IN_PARALLEL: Mapping[str, tuple[str, ...]] = {
    "unit": ("-n", "auto"),
    # Many modules have servers of their own, which are slow to start: each is one process's.
    # In the order of tests/support/crew.py, not by the number of tests.
    "integration": ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder"),
    # Each process has a stack of its own, which speaks and listens: more of them would be too slow.
    "e2e": ("-n", "auto", "--maxprocesses", "2", "--dist", "worksteal"),
}
"""Tiers that run in several processes: see `tests/support/crew.py`."""
AT_ONCE = max(2, os.cpu_count() or 1)
"""How many of the quick checks run at a time."""
PYTEST_FOUND_NOTHING = 5


@dataclass(frozen=True)
class Stage:
    """One command of a task; a quiet one's output is shown only when it fails."""

    name: str
    argv: tuple[str, ...]
    accepted: frozenset[int] = frozenset({0})
    is_quiet: bool = True
    cwd: Path = REPO


def lint_stages(env: Mapping[str, str]) -> list[Stage]:
    """Return the checks of form; hadolint reads the Dockerfiles there are."""
    dockerfiles = sorted(path.name for path in REPO.glob("Dockerfile*"))
    stages = [
        Stage("ruff", _tool("ruff", "check", "--quiet")),
        Stage("format", _tool("ruff", "format", "--check", "--quiet")),
        Stage("imports", _tool("lint-imports", "--no-cache")),
        Stage("spelling", _tool("codespell")),
        # Not imported: it reads the settings of all services, which devstack runs without.
        Stage("reference", (sys.executable, "-m", "reference", "--check")),
    ]
    if dockerfiles:
        stages.append(Stage("dockerfiles", _tool("hadolint", *dockerfiles)))
    return [*stages, *_web_stages(env, "web lint", "eslint/bin/eslint.js", ".")]


def type_stages(env: Mapping[str, str]) -> list[Stage]:
    """Return the type checks."""
    mypy = Stage("types", _tool("mypy", "--no-error-summary"))
    return [mypy, *_web_stages(env, "web types", "typescript/bin/tsc", "--noEmit")]


def unit_stages(env: Mapping[str, str], arguments: Sequence[str] = ()) -> list[Stage]:
    """Return the tests without input or output; `arguments` are for those in Python."""
    vitest = _web_stages(env, "web unit", "vitest/vitest.mjs", "run")
    return [*vitest, *tier_stages("unit", arguments)]


def tier_stages(tier: str, arguments: Sequence[str] = (), *, is_quick: bool = False) -> list[Stage]:
    """Return the tests of a tier, or its quick ones. What `arguments` select may be in others."""
    accepted = frozenset({0, PYTEST_FOUND_NOTHING} if arguments else {0})
    crew = IN_PARALLEL.get(tier, ())
    selection = ("-m", "quick") if is_quick else ()
    argv = (sys.executable, "-m", "pytest", f"tests/{tier}", *crew, *selection, *arguments)
    return [Stage(tier, argv, accepted, is_quiet=False)]


def all_stages(env: Mapping[str, str], arguments: Sequence[str] = ()) -> list[Stage]:
    """Return everything that `make test` checks, the quick and telling things first."""
    tiers = [*unit_stages(env, arguments), *tier_stages("integration", arguments)]
    tiers += tier_stages("e2e", arguments)
    tiers += tier_stages("chaos", arguments, is_quick=True)
    return [*lint_stages(env), *type_stages(env), *tiers]


def audit_stages(env: Mapping[str, str]) -> list[Stage]:
    """Return the search for known vulnerabilities, lock by lock.

    Strict: a package that the database was not asked about is a failure, not a pass.
    """
    options = ("--strict", "--require-hashes", "--disable-pip", "--progress-spinner", "off")
    stages = [
        Stage(lock.stem, _tool("pip-audit", *options, "-r", str(lock.relative_to(REPO))))
        for lock in sorted((REPO / "requirements").glob("*.lock"))
    ]
    if _has_web(env):
        argv = (*find_node(env).npm, "audit", "--audit-level=high")
        stages.append(Stage("web", argv, cwd=WEB))
    return stages


def _web_stages(env: Mapping[str, str], name: str, program: str, *arguments: str) -> list[Stage]:
    """Return the check of web/ that one of its packages' programs makes, where they are there."""
    if not _has_web(env):
        return []
    path = str(WEB / "node_modules" / program)
    return [Stage(name, (str(find_node(env).program), path, *arguments), cwd=WEB)]


def _has_web(env: Mapping[str, str]) -> bool:
    """Say whether the packages of web/ are there, or may not be missing, as in CI."""
    return is_web_current() or is_set(env, "CI")


#: Those besides that of the store.
_BENCHMARKS = frozenset(
    {
        *("assignment", "burst", "capacity", "degradation", "pages", "pool", "race", "recovery"),
        *("soak", "starts", "store", "warm", "worker_memory"),
    }
)


def bench_command(arguments: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the command that measures what the first word names, or a little of all.

    Not a stage: its output is the result.
    """
    if arguments and arguments[0] in _BENCHMARKS:
        return (sys.executable, "-m", f"bench.{arguments[0]}", *arguments[1:])
    return (sys.executable, "-m", "bench", *arguments)


def run_stages(stages: Sequence[Stage], env: Mapping[str, str], terminal: Terminal) -> int:
    """Run all stages, whatever becomes of the ones before; return 0 when all passed.

    The quiet ones come first, `AT_ONCE`; they are told of in their order.
    """
    results = [*_run_quiet(stages, env, terminal), *_run_loud(stages, env, terminal)]
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


Result = tuple[Stage, int, float]
"""A stage, its exit status, and how many seconds it took."""


def _run_quiet(
    stages: Sequence[Stage], env: Mapping[str, str], terminal: Terminal
) -> Iterator[Result]:
    quiet = [stage for stage in stages if stage.is_quiet]
    started: list[subprocess.Popen[str]] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [pool.submit(_timed, stage, env, started) for stage in quiet]
        try:
            for stage, run in zip(quiet, runs, strict=True):
                code, seconds, output = run.result()
                _tell(terminal, stage, seconds, code)
                if code not in stage.accepted:
                    terminal.line(output.rstrip())
                yield stage, code, seconds
        except BaseException:  # Ctrl-C: nothing is waited for
            for run in runs:
                run.cancel()
            for process in started:
                process.kill()
            raise


def _run_loud(
    stages: Sequence[Stage], env: Mapping[str, str], terminal: Terminal
) -> Iterator[Result]:
    for stage in stages:
        if not stage.is_quiet:
            terminal.title(f"── {stage.name}")
            code, seconds, _ = _timed(stage, env, [])
            yield stage, code, seconds


def _timed(
    stage: Stage, env: Mapping[str, str], started: list[subprocess.Popen[str]]
) -> tuple[int, float, str]:
    """Run a stage; return its exit status, how long it took, and what a quiet one has written."""
    began = time.monotonic()
    with subprocess.Popen(
        stage.argv,
        cwd=stage.cwd,
        env=dict(env),
        stdout=subprocess.PIPE if stage.is_quiet else None,
        stderr=subprocess.STDOUT if stage.is_quiet else None,
        text=True,
    ) as process:
        started.append(process)
        try:
            output, _ = process.communicate()
        except BaseException:
            process.kill()
            raise
    return process.returncode, time.monotonic() - began, output or ""


def _tell(terminal: Terminal, stage: Stage, seconds: float, code: int) -> None:
    terminal.step(stage.name, "ok" if code in stage.accepted else "failed", seconds)


def _tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(BIN / name), *arguments)
