"""`make observe` as a process of a test's own, and what its Prometheus tells."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from devstack.settings import REPO
from tests.support.programs import ENDS_WITHIN_S
from tests.support.wait import eventually_sync

_ADDRESS = re.compile(r"^  prometheus (http://127\.0\.0\.1:\d+)/$", re.MULTILINE)


class Observer:
    """The process, and what it has written so far."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace")

    def until_ready(self) -> str:
        """Wait until it has said where Prometheus is, and all the rest; return that."""

        def is_told() -> bool:
            assert self.process.poll() is None, self.output
            return "  stop " in self.output

        eventually_sync(is_told, ENDS_WITHIN_S, message="it says where Prometheus is")
        (url,) = _ADDRESS.findall(self.output)
        return str(url)

    def end(self, number: signal.Signals) -> int:
        """Send it a signal; return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(ENDS_WITHIN_S)


@contextmanager
def observing(env: Mapping[str, str], log: Path) -> Iterator[Observer]:
    """Run it on the stack of VOICEFLEET_RUN_DIR; end it if it still runs."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "devstack", "observe"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=REPO,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield Observer(process, log)
        finally:
            process.kill()
