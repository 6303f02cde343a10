"""Programs that tests run and signal, and what is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from devstack.services.ports import random_ports
from devstack.services.record import stack_file
from devstack.settings import REPO, process_environment
from tests.support.wait import eventually_sync

ENDS_WITHIN_S = 60.0


class StackProgram:
    """A `tests.support.tiny_stack` on random ports, with everything it writes in `home`.

    All its processes inherit TMPDIR, which is theirs alone: so even orphans are found. It builds
    no pages, unless a test sets WEB_DIR to "" and TINY_WEB to what is to be built.
    """

    def __init__(self, home: Path, modes: str, env: Mapping[str, str] | None = None) -> None:
        self.home = home
        ports = {f"{name.upper()}_PORT": str(port) for name, port in asdict(random_ports()).items()}
        own = {"TMPDIR": str(home), "VOICEFLEET_RUN_DIR": str(home / "run"), "WEB_DIR": str(home)}
        self.env = process_environment() | ports | own | dict(env or {})
        self.env = {name: value for name, value in self.env.items() if value}
        self.run_dir = Path(self.env["VOICEFLEET_RUN_DIR"])
        self._modes = modes
        self._output = home / "output"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start it, without waiting for anything."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.tiny_stack", self._modes, *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=REPO,
                start_new_session=True,
            )
        return self._process

    def until_ready(self) -> None:
        """Wait for `stack.json`."""
        eventually_sync(stack_file(self.run_dir).exists, ENDS_WITHIN_S, message="stack is ready")

    def until_output(self, text: str) -> None:
        """Wait until it has written something."""
        eventually_sync(lambda: text in self.output, ENDS_WITHIN_S, message=f"it says {text!r}")

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m devstack …` for this stack."""
        return subprocess.run(
            [sys.executable, "-m", "devstack", *words],
            env=self.env,
            cwd=REPO,
            capture_output=True,
            text=True,
            check=False,
            timeout=ENDS_WITHIN_S,
        )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the stack's process alone."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Return the exit status."""
        assert self._process is not None
        return self._process.wait(ENDS_WITHIN_S)

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._output.read_text(errors="replace")

    def processes(self) -> dict[int, str]:
        """Return its processes, orphans included: pid to command line."""
        return processes_with(f"TMPDIR={self.home}")

    def assert_no_process_is_left(self) -> None:
        """Fail when one is there for long."""
        eventually_sync(lambda: not self.processes(), message=f"{self.processes()} end")

    def end(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def processes_with(variable: str) -> dict[int, str]:
    """Return the processes that have a variable in their environment: pid to command line."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if variable.encode() in (directory / "environ").read_bytes().split(b"\0"):
                command = (directory / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(directory.name)] = command.decode(errors="replace").strip()
    return found
