"""What integrators are told of a session when it has changed."""

from __future__ import annotations

from collections.abc import Sequence

from notices.message import Message
from sessions.journal import Change, Event
from sessions.model import Session
from sessions.states import State

_OVER = {
    State.ENDED: "session.ended",
    State.FAILED: "session.failed",
    # It ended in line: whoever keeps books of sessions is told of the end of each.
    State.EXPIRED: "session.ended",
}
#: Changes into other states are nobody's business.
TOLD = frozenset({State.ACTIVE, *_OVER})


def message_of(change: Change, session: Session, events: Sequence[Event]) -> Message | None:
    """Return what is told of a change; None where it is not worth it.

    It is made of what does not change any more, so that it is the same whenever it is made.
    """
    begun = next((event for event in events if event.status is State.ACTIVE), None)
    kind = _OVER.get(change.status, "session.started")
    is_first = begun is not None and begun.revision == change.revision
    # A session is active again after its agent was replaced, or when something else is told.
    if kind == "session.started" and not is_first:
        return None
    at_ms = next((one.at_ms for one in events if one.revision == change.revision), change.at_ms)
    return Message(
        id=f"session_{session.id}_{change.revision}",
        type=kind,
        at_ms=at_ms,
        data=_data_of(change, session, None if begun is None else begun.at_ms),
    )


def _data_of(change: Change, session: Session, begun_ms: int | None) -> dict[str, object]:
    """Return it in the words of the API (docs/webhooks.md)."""
    is_over = change.status in _OVER
    ended_ms = session.ended_at_ms if is_over else None
    is_told_why = change.status is State.FAILED and session.error is not None
    talk_ms = None if ended_ms is None or begun_ms is None else ended_ms - begun_ms
    return {
        "sessionId": session.id,
        "revision": change.revision,
        "status": change.status,
        "roomName": session.room,
        "userId": session.user_id,
        "persona": session.persona,
        "createdAt": session.created_at_ms,
        "readyAt": session.ready_at_ms,
        "joinedAt": session.joined_at_ms,
        "endedAt": ended_ms,
        "startupTime": None if session.startup_ms is None else session.startup_ms / 1000,
        "talkTime": None if talk_ms is None else talk_ms / 1000,
        "reason": session.reason if is_over else None,
        "error": {"code": "session_failed", "message": session.error} if is_told_why else None,
    }
