"""What can go wrong while a stack is made ready, started or run.

    DevstackError
    ├── ToolMissing        a program is neither here nor installable
    ├── BuildFailed        the web pages cannot be built
    ├── PortTaken          a port that was asked for belongs to somebody else
    ├── AlreadyRunning     this checkout runs a stack already
    ├── NotRunning         this checkout runs no stack, or none that is ready
    ├── LeftoversRemain    what a killed stack left cannot be ended
    ├── ServiceNotReady    a service did not answer in time
    └── ServiceDied        a service ended, while it started or later

The message of each is for a person: what happened, and what to do about it.
"""

from __future__ import annotations


class DevstackError(Exception):
    """Base class; `log_tail` holds the last lines of the log that tells more, if one does."""

    def __init__(self, message: str, *, log_tail: str = "") -> None:
        super().__init__(message)
        self.log_tail = log_tail


class ToolMissing(DevstackError):
    """Raised when a program is neither here nor installable."""


class BuildFailed(DevstackError):
    """Raised when the web pages cannot be built."""


class PortTaken(DevstackError):
    """Raised when a port that was asked for, or chosen a moment ago, belongs to somebody else."""


class AlreadyRunning(DevstackError):
    """Raised when this checkout runs a stack already."""


class NotRunning(DevstackError):
    """Raised when a stack is needed and this checkout runs none that is ready."""


class LeftoversRemain(DevstackError):
    """Raised when processes of a stack that was killed cannot be ended."""


class ServiceNotReady(DevstackError):
    """Raised when a service did not pass its readiness check in time."""


class ServiceDied(DevstackError):
    """Raised when a service ended without being asked to."""
