"""What can go wrong.

VoicefleetError
├── ApiError     the server answered no; `code` says why
├── Unreachable  it did not answer, or not with what it should
└── SessionOver  there is nothing more to wait for; `view` says how it ended
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voicefleet_client.models import SessionView

#: What gateways say while the server behind them is away, and the server while Redis is.
_AWAY = frozenset({502, 503, 504})


class VoicefleetError(Exception):
    """Base of everything this package raises on purpose."""

    #: Seconds after which trying again may help, if the server said so.
    retry_after_s: float | None = None
    #: Names the request in the server's log.
    request_id: str | None = None
    #: Whether the same call may be answered later.
    is_passing = False
    #: Whether it may be answered so soon that it is worth a second try at once.
    is_brief = False


class ApiError(VoicefleetError):
    """Raised when the server refuses; the message is for people, `code` for programs."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str,
        retry_after_s: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s
        self.request_id = request_id
        self.is_passing = status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500
        self.is_brief = status in _AWAY


class Unreachable(VoicefleetError):
    """Raised when the server does not answer, or not with what it should.

    `status` is there when something answered that is not Voicefleet.
    """

    is_passing = True

    def __init__(
        self, message: str, *, status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s
        self.is_brief = status is None or status in _AWAY


class SessionOver(VoicefleetError):
    """Raised when a session ended that was waited for; the message is for people."""

    def __init__(self, message: str, *, view: SessionView | None = None) -> None:
        super().__init__(message)
        self.view = view
