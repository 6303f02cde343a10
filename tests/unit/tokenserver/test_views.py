"""Which of a session's fields are shown to whom."""

from __future__ import annotations

from sessions.ids import new_identity, new_session_id
from sessions.model import Session
from sessions.states import State
from tokenserver.contract.views import session_record, session_view

OF_OPERATORS = {"userId", "workerId", "agentPid", "agentMemoryBytes", "epoch", "losses"}


def test_operators_see_more_of_a_session_than_its_owner() -> None:
    seen = Session(
        id=new_session_id(),
        status=State.ACTIVE,
        user_id=None,
        identity=new_identity(),
        epoch=1,
        revision=1,
        secret_hash="",
        created_at_ms=1_764_000_000_000,
        agent_pid=42,
        pss_bytes=40_000_000,
    )
    owner = session_view(seen).model_dump(by_alias=True)
    operator = session_record(seen).model_dump(by_alias=True)
    assert operator.keys() - owner.keys() == OF_OPERATORS
    assert (operator["agentPid"], operator["agentMemoryBytes"]) == (42, 40_000_000)
