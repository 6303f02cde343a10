"""Requests and answers. Unknown fields of our own calls are refused, so that a typo is noticed."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from sessions.ids import parse_user_id
from sessions.model import Session

_SessionIdText = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
_Secret = Annotated[str, StringConstraints(max_length=128)]

#: LiveKit itself allows more; an attribute is a label, not a document.
_MAX_METADATA_CHARS = 4096
_MAX_ATTRIBUTES = 16


class _Request(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )


class StartRequest(_Request):
    """Body of `POST /api/session/start`; may be absent."""

    user_id: Annotated[str, Field(max_length=128)] | None = None

    @model_validator(mode="after")
    def _check_user_id(self) -> Self:
        if self.user_id is not None and parse_user_id(self.user_id) is None:
            raise ValueError("userId must be 1 to 128 letters, digits or _.@:+-")
        return self


class StopRequest(_Request):
    """Body of `POST /api/session/stop`. The secret may come here too: a page that is being
    closed can send a beacon, and beacons carry no headers."""

    session_id: _SessionIdText
    session_secret: _Secret | None = None


class RejoinRequest(_Request):
    """Body of `POST /api/token` for a session that was started over this API."""

    session_id: _SessionIdText
    session_secret: _Secret | None = None


def _either(snake: str) -> AliasChoices:
    return AliasChoices(snake, to_camel(snake))


class AgentRequest(BaseModel):
    """One entry of `room_config.agents`: which agent, and nothing that would reach another."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent_name: str = Field("", max_length=64, validation_alias=_either("agent_name"))
    metadata: str = Field("", max_length=_MAX_METADATA_CHARS)


class RoomConfigRequest(BaseModel):
    """The part of LiveKit's RoomConfiguration a client may ask for: one agent. No recording."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agents: Annotated[list[AgentRequest], Field(max_length=1)] = []


class StandardTokenRequest(BaseModel):
    """LiveKit's standard token request, as `TokenSource.endpoint` sends it.

    The room and the identity are made by us whatever is asked for: a room is for one session, and
    a chosen identity could put another participant out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    room_name: str = Field("", max_length=256, validation_alias=_either("room_name"))
    participant_identity: str = Field(
        "", max_length=256, validation_alias=_either("participant_identity")
    )
    participant_name: str = Field("", max_length=128, validation_alias=_either("participant_name"))
    participant_metadata: str = Field(
        "", max_length=_MAX_METADATA_CHARS, validation_alias=_either("participant_metadata")
    )
    participant_attributes: dict[
        Annotated[str, StringConstraints(min_length=1, max_length=64)],
        Annotated[str, StringConstraints(max_length=256)],
    ] = Field({}, max_length=_MAX_ATTRIBUTES, validation_alias=_either("participant_attributes"))
    room_config: RoomConfigRequest | None = Field(None, validation_alias=_either("room_config"))

    @model_validator(mode="after")
    def _check_attributes(self) -> Self:
        if any(name.startswith("lk.") for name in self.participant_attributes):
            raise ValueError("participant_attributes: names that start with lk. are LiveKit's own")
        return self

    @property
    def agent_name(self) -> str:
        """The agent asked for, or "" for whichever there is."""
        agents = self.room_config.agents if self.room_config else []
        return agents[0].agent_name if agents else ""


_MESSAGES = {
    "queued": "All agents are busy; you are in line.",
    "starting": "An agent is on its way.",
    "ready": "The agent is in the room and waits for you.",
    "active": "You are talking.",
    "recovering": "The agent was lost; another is on its way.",
    "ending": "The session is being closed.",
    "ended": "The session is over.",
    "expired": "The wait was given up.",
}


def session_view(session: Session) -> dict[str, Any]:
    """Return what its owner may know of a session."""
    view: dict[str, Any] = {
        "success": True,
        "sessionId": session.id,
        "status": session.status,
        "message": session.error or _MESSAGES.get(session.status, ""),
        "roomName": session.room,
        "createdAt": session.created_at_ms,
        "readyAt": session.ready_at_ms,
        "joinedAt": session.joined_at_ms,
        "endedAt": session.ended_at_ms,
        # From admission to the agent being audible, in seconds.
        "startupTime": None if session.startup_ms is None else session.startup_ms / 1000,
        "prewarmed": session.prewarmed,
    }
    if session.error:
        view["error"] = {"code": "session_failed", "message": session.error}
    return view
