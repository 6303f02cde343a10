"""What can go wrong.

VoicefleetError
├── ApiError     the server answered no; `code` says why, `retry_after_s` when to try again
└── Unreachable  it did not answer, or not with what it should
"""

from __future__ import annotations


class VoicefleetError(Exception):
    """Base of everything this package raises on purpose."""


class ApiError(VoicefleetError):
    """Raised when the server refuses; the message is for people."""

    def __init__(
        self, message: str, *, status: int, code: str, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s


class Unreachable(VoicefleetError):
    """Raised when the server does not answer, or not with what it should."""
