"""What is seen while a part runs: a clock on a terminal, else a line now and then."""

from __future__ import annotations

import time

from devstack.terminal import Terminal


class Progress:
    """Tells on stderr how far one part is."""

    def __init__(self, part: str, terminal: Terminal) -> None:
        self._part = part
        self._terminal = terminal
        self._began = time.monotonic()

    def tell(self, note: str) -> None:
        """Say what is being done; called often, it is shown now and then."""
        self._terminal.clock(self._part, "running", time.monotonic() - self._began, note)

    def say(self, note: str) -> None:
        """Say something that stays, for who reads it later."""
        self._terminal.step(self._part, "running", time.monotonic() - self._began, note)

    def done(self) -> None:
        """Say that the part is over."""
        self._terminal.step(self._part, "ok", time.monotonic() - self._began)
