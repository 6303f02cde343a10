"""Identifiers: how they are made, and what they may look like."""

from __future__ import annotations

import re
import secrets
from typing import NewType

SessionId = NewType("SessionId", str)
UserId = NewType("UserId", str)
WorkerId = NewType("WorkerId", str)

_ROOM_PREFIX = "vf-"
_SESSION_ID = re.compile(r"[0-9a-f]{32}")
_USER_ID = re.compile(r"[A-Za-z0-9_.@:+-]{1,128}")


def new_session_id() -> SessionId:
    """Return an id of 128 random bits, so that nobody can guess another's."""
    return SessionId(secrets.token_hex(16))


def parse_session_id(text: str) -> SessionId | None:
    """Return ``text`` as a session id, or None when it cannot be one.

    Keys are built from ids that passed here, so that no id can name another key.
    """
    return SessionId(text) if _SESSION_ID.fullmatch(text) else None


def parse_user_id(text: str) -> UserId | None:
    """Return ``text`` as a user id, or None: 1 to 128 letters, digits and ``_.@:+-``."""
    return UserId(text) if _USER_ID.fullmatch(text) else None


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
