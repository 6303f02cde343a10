"""Identifiers: how they are made, and what they may look like."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import NewType

from sessions.errors import InvalidInput

SessionId = NewType("SessionId", str)
UserId = NewType("UserId", str)
WorkerId = NewType("WorkerId", str)

#: A session id, as JSON Schema and Pydantic write patterns.
SESSION_ID_PATTERN = r"^[0-9a-f]{32}$"
WORKER_ID_PATTERN = r"^[A-Za-z0-9_.-]{1,64}$"
#: The name of a persona, which is that of its file without the ending.
PERSONA_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"
#: As LiveKit has it (`limit.max_room_name_length`), unless its config says otherwise.
MAX_ROOM_CHARS = 256
_ROOM_PREFIX = "vf-"
_SESSION_ID = re.compile(SESSION_ID_PATTERN)
_USER_ID = re.compile(r"[A-Za-z0-9_.@:+-]{1,128}")
_WORKER_ID = re.compile(WORKER_ID_PATTERN)
_CALLER = re.compile(r"[0-9a-f]{32}")


def new_session_id() -> SessionId:
    """Return an id of 128 random bits, so that nobody can guess another's."""
    return SessionId(secrets.token_hex(16))


def adopted_session_id(job_id: str) -> SessionId:
    """Return the id of the session that a job is for which nobody sent for a session.

    Whoever knows the job comes to the same one: the agent, and the worker that sees it die.
    """
    return SessionId(hashlib.sha256(f"job {job_id}".encode()).hexdigest()[:32])


def parse_session_id(text: str) -> SessionId | None:
    """Return ``text`` as a session id, or None when it cannot be one."""
    return SessionId(text) if _SESSION_ID.fullmatch(text) else None


def parse_user_id(text: str) -> UserId | None:
    """Return ``text`` as a user id, or None: 1 to 128 letters, digits and ``_.@:+-``."""
    return UserId(text) if _USER_ID.fullmatch(text) else None


def checked_session_id(text: str) -> SessionId:
    """Return a session id that may be part of a key. Raises InvalidInput."""
    if not _SESSION_ID.fullmatch(text):
        raise InvalidInput("a session id has 32 hexadecimal digits")
    return SessionId(text)


def checked_worker_id(text: str) -> WorkerId:
    """Return a worker id that may be part of a key. Raises InvalidInput."""
    if not _WORKER_ID.fullmatch(text):
        raise InvalidInput("a worker id has 1 to 64 letters, digits or _.-")
    return WorkerId(text)


def checked_caller(text: str) -> str:
    """Return a caller's name that may be part of a key. Raises InvalidInput."""
    if not _CALLER.fullmatch(text):
        raise InvalidInput("a caller's name has 32 hexadecimal digits")
    return text


def user_digest(user_id: UserId) -> str:
    """Return what stands for a user in the names of keys. Raises InvalidInput.

    SHA-1, since Lua in Redis has no other (`redis.sha1hex`); it hides the id from those who list
    keys, and keeps any id from naming another key, but does not make anybody anonymous.
    """
    if not _USER_ID.fullmatch(user_id):
        raise InvalidInput("a user id has 1 to 128 letters, digits or _.@:+-")
    return hashlib.sha1(user_id.encode(), usedforsecurity=False).hexdigest()


def idempotency_digest(key: str) -> str:
    """Return what stands for an idempotency key, whatever a client put into it."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32]


def new_identity() -> str:
    """Return a participant identity for a user; made by us, never taken from a client."""
    return f"user-{secrets.token_hex(6)}"


def room_name(session_id: SessionId) -> str:
    """Return the name of the one room of a session."""
    return _ROOM_PREFIX + session_id


def session_of_room(room: str) -> SessionId | None:
    """Return the session that a room belongs to, or None for a room that is not ours."""
    return (
        parse_session_id(room.removeprefix(_ROOM_PREFIX)) if room.startswith(_ROOM_PREFIX) else None
    )
