"""Participant tokens: for one room, one identity, and no more rights than a talk needs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from google.protobuf.json_format import MessageToDict
from livekit import api

from rooms.settings import RoomSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Who a token is for. Identities are made by us, so that nobody can put another one out."""

    room: str
    identity: str
    name: str = ""
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


def mint_token(
    settings: RoomSettings,
    participant: Participant,
    *,
    ttl_s: int,
    agent_metadata: str | None = None,
) -> str:
    """Return a token that lets a user join one room, speak, listen and chat.

    With ``agent_metadata`` the join itself sends for our agent, if it creates the room. The token
    carries that metadata in clear text. LiveKit looks at the expiry on the first join only.

    The claims are those of LiveKit's docs, "Access tokens"; livekit-api would write the same ones
    (a test compares), in three times the time, which every start of a session would wait for.
    """
    claims = {
        "video": {
            "roomJoin": True,
            "room": participant.room,
            "canPublish": True,
            "canPublishSources": ["microphone"],
            "canPublishData": True,
            "canSubscribe": True,
            "canUpdateOwnMetadata": False,
        },
        "name": participant.name,
        "metadata": participant.metadata,
        "attributes": dict(participant.attributes),
    }
    if agent_metadata is not None:
        claims["roomConfig"] = MessageToDict(_room_config(settings, agent_metadata))
    return signed(settings, claims, ttl_s=ttl_s, identity=participant.identity)


def signed(
    settings: RoomSettings, claims: Mapping[str, Any], *, ttl_s: int, identity: str = ""
) -> str:
    """Return a token with claims that LiveKit will take as ours, for so long."""
    now_s = int(time.time())
    return jwt.encode(
        {
            **claims,
            "sub": identity,
            "iss": settings.livekit_api_key,
            "nbf": now_s,
            "exp": now_s + ttl_s,
        },
        settings.livekit_api_secret.get_secret_value(),
        algorithm="HS256",
    )


def _room_config(settings: RoomSettings, agent_metadata: str) -> api.RoomConfiguration:
    return api.RoomConfiguration(
        empty_timeout=settings.room_empty_timeout_s,
        departure_timeout=settings.room_departure_timeout_s,
        agents=[api.RoomAgentDispatch(agent_name=settings.agent_name, metadata=agent_metadata)],
    )
