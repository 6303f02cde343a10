"""Turns answers of Redis and the scripts into our values; nothing else reads raw replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sessions.ids import MAX_ROOM_CHARS, SessionId, UserId, WorkerId, idempotency_digest
from sessions.model import (
    Admission,
    IdempotencyKey,
    Loss,
    Newcomer,
    Outcome,
    Place,
    Readiness,
    Reply,
    Session,
    Start,
)
from sessions.states import State
from sessions.text import clean


def newcomer_fields(newcomer: Newcomer) -> list[str]:
    """Return what a session's hash begins with: names and values in turn."""
    fields = ["identity", clean(newcomer.identity, 128), "epoch", "1"]
    fields += ["secretHash", clean(newcomer.secret_hash, 128)]
    if newcomer.persona is not None:
        fields += ["persona", clean(newcomer.persona, 64)]
    if newcomer.foreign_room is not None:
        fields += ["room", clean(newcomer.foreign_room, MAX_ROOM_CHARS)]
    if newcomer.user_id is not None:
        fields += ["userId", newcomer.user_id]
        fields += ["remember", "1"] if newcomer.is_remembered else []
    return fields


def to_session(session_id: SessionId, fields: Mapping[str, str]) -> Session:
    """Build a session from the fields of its hash."""

    def number(name: str) -> int | None:
        return int(fields[name]) if name in fields else None

    user_id, worker_id = fields.get("userId"), fields.get("workerId")
    return Session(
        id=session_id,
        status=State(fields["status"]),
        user_id=None if user_id is None else UserId(user_id),
        identity=fields["identity"],
        epoch=int(fields["epoch"]),
        revision=int(fields.get("revision", 0)),
        secret_hash=fields.get("secretHash", ""),
        persona=fields.get("persona"),
        created_at_ms=int(fields["createdAt"]),
        admitted_at_ms=number("admittedAt"),
        dispatched_at_ms=number("dispatchedAt"),
        worker_id=None if worker_id is None else WorkerId(worker_id),
        agent_pid=number("agentPid"),
        job_id=fields.get("jobId"),
        prewarmed=None if "prewarmed" not in fields else fields["prewarmed"] == "1",
        agent_state=fields.get("agentState"),
        pss_bytes=number("pssBytes"),
        claimed_at_ms=number("claimedAt"),
        ready_at_ms=number("readyAt"),
        joined_at_ms=number("joinedAt"),
        ended_at_ms=number("endedAt"),
        ghost_job_id=fields.get("ghost"),
        losses_ms=tuple(int(text) for text in fields.get("losses", "").split()),
        is_remembered=fields.get("remember") == "1",
        error=fields.get("error"),
        reason=fields.get("reason"),
        foreign_room=fields.get("room"),
    )


def to_ids(answer: Mapping[str, Any], name: str) -> tuple[SessionId, ...]:
    """Return a list of ids from an answer, which leaves out an empty one."""
    return tuple(SessionId(text) for text in answer.get(name, ()))


def to_reply(answer: Mapping[str, Any]) -> Reply:
    """Build the reply of a verb about one session."""
    return Reply(**_common(answer))


def to_readiness(answer: Mapping[str, Any]) -> Readiness:
    """Build the reply to an agent that can be heard."""
    if "start" not in answer:
        return Readiness(**_common(answer))
    waited, sent, sent_at, startup = (int(number) for number in answer["start"])
    start = Start(waited_ms=waited, sent_ms=sent, sent_at_ms=sent_at, startup_ms=startup)
    return Readiness(**_common(answer), start=start)


def to_place(answer: Mapping[str, Any]) -> Place:
    """Build the reply of a verb about a session that may wait."""
    return Place(
        **_common(answer), position=answer.get("position"), eta_ms=_whole(answer.get("etaMs"))
    )


def to_admission(answer: Mapping[str, Any]) -> Admission:
    """Build the reply to a request for a session."""
    replaced = answer.get("replaced")
    return Admission(
        **_common(answer),
        position=answer.get("position"),
        eta_ms=_whole(answer.get("etaMs")),
        outcome=Outcome(answer["outcome"]),
        session_id=SessionId(answer["id"]),
        replaced=None if replaced is None else SessionId(replaced),
    )


def to_loss(answer: Mapping[str, Any]) -> Loss:
    """Build the reply to a loss."""
    return Loss(**_common(answer), losses=answer.get("losses", 0))


def _common(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "changed": bool(answer["changed"]),
        "status": State(answer["status"]),
        "epoch": int(answer["epoch"]),
        "admitted": to_ids(answer, "admitted"),
    }


def _whole(number: float | None) -> int | None:
    """Lua writes large numbers as floats."""
    return None if number is None else int(number)


def idempotency_fields(idempotency: IdempotencyKey | None) -> dict[str, str] | None:
    """Return what the scripts are told of an idempotency key: digests, nothing of the key."""
    if idempotency is None:
        return None
    return {
        "key": idempotency_digest(f"{idempotency.scope}\n{idempotency.key}"),
        "fingerprint": idempotency_digest(idempotency.fingerprint),
    }
