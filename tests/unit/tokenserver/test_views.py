"""Which of a session's fields are shown to whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sessions.ids import new_identity, new_session_id
from sessions.model import Session
from sessions.states import State
from tokenserver.contract.views import session_record, session_view

OF_OPERATORS = {"userId", "workerId", "agentPid", "agentMemoryBytes", "epoch", "losses"}
CREATED_AT_MS = 1_764_000_000_000
SEEN = Session(
    id=new_session_id(),
    status=State.ACTIVE,
    user_id=None,
    identity=new_identity(),
    epoch=1,
    revision=1,
    secret_hash="",
    created_at_ms=CREATED_AT_MS,
)


def test_operators_see_more_of_a_session_than_its_owner() -> None:
    seen = replace(SEEN, agent_pid=42, pss_bytes=40_000_000)
    owner = session_view(seen).model_dump(by_alias=True)
    operator = session_record(seen).model_dump(by_alias=True)
    assert operator.keys() - owner.keys() == OF_OPERATORS
    assert (operator["agentPid"], operator["agentMemoryBytes"]) == (42, 40_000_000)


@pytest.mark.parametrize(
    ("reason", "is_served", "error", "message"),
    [
        ("room_closed", False, None, "The session was over before an agent came."),
        ("room_closed", True, None, "The session is over: its room was closed."),
        ("time_limit", True, None, "The session is over: its time was up."),
        ("client_initiated", True, None, "The session is over."),
        (None, True, None, "The session is over."),
        (None, False, "No agent came in time.", "No agent came in time."),
    ],
)
def test_who_is_over_is_told_why(
    reason: str | None, error: str | None, message: str, *, is_served: bool
) -> None:
    status = State.FAILED if error else State.ENDED
    ready_at_ms = CREATED_AT_MS if is_served else None
    over = replace(SEEN, status=status, reason=reason, error=error, ready_at_ms=ready_at_ms)
    assert session_view(over).message == message
