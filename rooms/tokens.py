"""Participant tokens: for one room, one identity, and no more rights than a talk needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

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
    """
    grants = api.VideoGrants(
        room_join=True,
        room=participant.room,
        can_publish=True,
        can_publish_sources=["microphone"],
        can_publish_data=True,
        can_subscribe=True,
        can_update_own_metadata=False,
    )
    token = (
        api.AccessToken(settings.livekit_api_key, settings.livekit_api_secret.get_secret_value())
        .with_identity(participant.identity)
        .with_name(participant.name)
        .with_metadata(participant.metadata)
        .with_attributes(dict(participant.attributes))
        .with_ttl(timedelta(seconds=ttl_s))
        .with_grants(grants)
    )
    if agent_metadata is not None:
        token.with_room_config(_room_config(settings, agent_metadata))
    return token.to_jwt()


def _room_config(settings: RoomSettings, agent_metadata: str) -> api.RoomConfiguration:
    return api.RoomConfiguration(
        empty_timeout=settings.room_empty_timeout_s,
        departure_timeout=settings.room_departure_timeout_s,
        agents=[api.RoomAgentDispatch(agent_name=settings.agent_name, metadata=agent_metadata)],
    )
