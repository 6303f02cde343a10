"""How a call went, as the store and the user are told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from livekit import rtc
from livekit.agents import CloseEvent, CloseReason
from livekit.agents.llm import LLMError, RealtimeModelError
from livekit.agents.stt import STTError
from livekit.agents.tts import TTSError


class Verdict(StrEnum):
    ENDED = "ended"  # as somebody wished
    FAILED = "failed"  # and nobody wished it
    LEFT = "left"  # the session is no longer ours: others decide about it


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why this agent leaves. `reason` is for the log, `error` for the user."""

    verdict: Verdict
    reason: str
    error: str = ""

    @classmethod
    def ended(cls, reason: str) -> Self:
        return cls(Verdict.ENDED, reason)

    @classmethod
    def failed(cls, reason: str, error: str) -> Self:
        return cls(Verdict.FAILED, reason, error)

    @classmethod
    def left(cls, reason: str) -> Self:
        return cls(Verdict.LEFT, reason)


#: The worker stops, or the server ended the job.
STOPPED = Outcome.failed("stopped", "The agent was stopped.")
CRASHED = Outcome.failed("crashed", "The agent ran into a problem.")
NO_USER = Outcome.ended("no_user")
USER_LEFT = Outcome.ended("user_left")
USER_AWAY = Outcome.ended("user_away")
TIME_LIMIT = Outcome.ended("time_limit")
#: To another worker, as this one stops.
HANDED_OVER = Outcome.left("handed over")

#: The room is no more; somebody closed it, or its user had left it.
_ROOM_GONE = frozenset(
    {rtc.DisconnectReason.ROOM_DELETED, rtc.DisconnectReason.ROOM_CLOSED},
)


def after_disconnect(reason: rtc.DisconnectReason.ValueType) -> Outcome:
    """Judge why the agent is out of the room.

    Removed by somebody, or cut off by the network: the session goes on without this agent, and
    whoever watches its lease decides.
    """
    name = rtc.DisconnectReason.Name(reason).lower()
    return Outcome.ended(name) if reason in _ROOM_GONE else Outcome.left(name)


def after_close(event: CloseEvent, *, has_hung_up: bool) -> Outcome | None:
    """Judge why the conversation closed; None when that follows from something else.

    The framework closes it as `user_initiated` too when it shuts the job down.
    """
    match event.reason:
        case CloseReason.ERROR:
            return Outcome.failed("provider_error", _blame(event.error))
        case CloseReason.JOB_SHUTDOWN:
            return None
        case CloseReason.USER_INITIATED:
            return Outcome.ended("agent_hung_up") if has_hung_up else None
        case _:
            return Outcome.ended(event.reason.value)


def _blame(error: object) -> str:
    match error:
        case STTError():
            return "The agent could not hear you: speech recognition did not work."
        case LLMError():
            return "The agent could not answer: its language model did not work."
        case TTSError():
            return "The agent could not speak: speech synthesis did not work."
        case RealtimeModelError():
            return "The agent could not answer: its speech model did not work."
        case _:
            return CRASHED.error
