"""A service of the stack, as data."""

from __future__ import annotations

from dataclasses import dataclass

from devstack.services.process import Command
from devstack.services.readiness import Check


@dataclass(frozen=True, kw_only=True)
class Service:
    """What to run, how to see that it is ready, and how long it may take to start and to stop.

    `url` is for its users; `ready` tells when they may come.
    `insist_after_s` is for programs that need to be asked to stop twice.
    """

    command: Command
    url: str
    ready: Check
    ready_within_s: float = 30.0
    stop_within_s: float = 10.0
    insist_after_s: float | None = None

    @property
    def name(self) -> str:
        """The name that logs and tables show."""
        return self.command.name
