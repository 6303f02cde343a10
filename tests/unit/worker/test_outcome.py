"""How the end of a call is judged."""

from __future__ import annotations

import pytest
from livekit import rtc
from livekit.agents import CloseEvent, CloseReason
from livekit.agents.stt import STTError

from worker.call.outcome import CRASHED, Verdict, after_close, after_disconnect


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        (rtc.DisconnectReason.ROOM_DELETED, Verdict.ENDED),
        (rtc.DisconnectReason.ROOM_CLOSED, Verdict.ENDED),
        (rtc.DisconnectReason.PARTICIPANT_REMOVED, Verdict.LEFT),
        (rtc.DisconnectReason.DUPLICATE_IDENTITY, Verdict.LEFT),
        (rtc.DisconnectReason.SERVER_SHUTDOWN, Verdict.LEFT),
        (rtc.DisconnectReason.UNKNOWN_REASON, Verdict.LEFT),
    ],
)
def test_out_of_the_room(reason: rtc.DisconnectReason.ValueType, verdict: Verdict) -> None:
    assert after_disconnect(reason).verdict is verdict


@pytest.mark.parametrize(
    "reason", [CloseReason.PARTICIPANT_DISCONNECTED, CloseReason.TASK_COMPLETED]
)
def test_a_conversation_that_is_over(reason: CloseReason) -> None:
    outcome = after_close(CloseEvent(reason=reason), has_hung_up=False)
    assert outcome is not None
    assert outcome.verdict is Verdict.ENDED


def test_the_agent_may_hang_up() -> None:
    outcome = after_close(CloseEvent(reason=CloseReason.USER_INITIATED), has_hung_up=True)
    assert outcome is not None
    assert outcome.verdict is Verdict.ENDED


@pytest.mark.parametrize("reason", [CloseReason.JOB_SHUTDOWN, CloseReason.USER_INITIATED])
def test_a_job_that_is_stopped_is_judged_elsewhere(reason: CloseReason) -> None:
    assert after_close(CloseEvent(reason=reason), has_hung_up=False) is None


def test_the_user_learns_what_did_not_work() -> None:
    deaf = STTError(timestamp=0.0, label="stt", error=RuntimeError("secret"), recoverable=False)
    outcome = after_close(CloseEvent(reason=CloseReason.ERROR, error=deaf), has_hung_up=False)
    assert outcome is not None
    assert outcome.verdict is Verdict.FAILED
    assert "could not hear you" in outcome.error
    assert "secret" not in outcome.error


def test_an_unknown_error_is_an_error_too() -> None:
    outcome = after_close(CloseEvent(reason=CloseReason.ERROR), has_hung_up=False)
    assert outcome is not None
    assert (outcome.verdict, outcome.error) == (Verdict.FAILED, CRASHED.error)
