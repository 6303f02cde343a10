"""What goes wrong with a provider, without the words of a user or a key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError

from worker.voice.clients import LeftAlone
from worker.voice.settings import Stage


class Kind(StrEnum):
    SILENT = "silent"  # nothing came in time
    UNREACHABLE = "unreachable"  # no connection, or it broke off, or made no sense
    BUSY = "busy"  # 429
    DENIED = "denied"  # 401, 403, 404: not with this key, not this model
    BROKEN = "broken"  # 5xx, or as much in other words
    REJECTED = "rejected"  # another 4xx: it did not like this request
    BUG = "bug"  # none of this: rather ours


#: What will probably happen to the next request, too, whoever makes it.
LASTING = frozenset({Kind.SILENT, Kind.UNREACHABLE, Kind.BUSY, Kind.DENIED, Kind.BROKEN})

_DENIALS = frozenset({401, 403, 404})
_MANY_REQUESTS = 429
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One failure of one model. `recoverable`: it is asked again, or another is."""

    stage: Stage
    provider: str
    kind: Kind
    recoverable: bool


#: Somebody who writes it down. Must not raise.
Observer = Callable[[Trouble], None]


def kind_of(error: BaseException) -> Kind:
    """Say what an exception of the framework means."""
    match error:
        case APITimeoutError():
            return Kind.SILENT
        case APIStatusError(status_code=status):
            return _kind_of_status(status)
        case APIConnectionError():
            # After several attempts the framework says no more than that they failed.
            inner = error.__cause__
            return (
                kind_of(inner)
                if isinstance(inner, APIStatusError | APITimeoutError)
                else (Kind.UNREACHABLE)
            )
        case APIError():
            return Kind.BROKEN  # as one model that does all says it
        case _:
            return Kind.BUG


def was_left_alone(error: BaseException) -> bool:
    """Say whether a model was not asked because it is known to be down."""
    return isinstance(error.__cause__, LeftAlone)


def _kind_of_status(status: int) -> Kind:
    if status in _DENIALS:
        return Kind.DENIED
    if status == _MANY_REQUESTS:
        return Kind.BUSY
    return Kind.BROKEN if status >= _SERVER_ERROR else Kind.REJECTED
