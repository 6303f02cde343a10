"""Requests. Unknown fields of our own calls are refused, so that a typo is noticed."""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    RootModel,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict

from sessions.ids import PERSONA_PATTERN, SESSION_ID_PATTERN

_SessionIdText = Annotated[
    str,
    Field(
        pattern=SESSION_ID_PATTERN,
        examples=["6f0c1b7e9a2d4c538e17d0b4a95f3c62"],
        description="The `sessionId` that start returned.",
    ),
]
#: What the names of users begin with where anybody may claim them. No proved one does.
UNVERIFIED = "unverified:"
#: Leaves room for what we put in front of a name that is only claimed.
_USER_ID = r"^[A-Za-z0-9_.@:+-]{1,100}$"
_Secret = Annotated[str, Field(max_length=128)]
_Persona = Annotated[str, Field(pattern=PERSONA_PATTERN, examples=["interviewer"])]

#: LiveKit itself allows more; an attribute is a label, not a document.
_MAX_METADATA_CHARS = 4096
_MAX_ATTRIBUTES = 16
_PROOF_HERE = "Instead of the header `Authorization`."


def _never(pattern: str) -> JsonDict:
    """Tell in the document what a text must not look like; the models check it by themselves."""
    return {"not": {"pattern": pattern}}


class _Request(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )


class _Body(_Request):
    """JSON has types of its own: "no" is not false, and "5" is no number. A query has but texts."""

    model_config = ConfigDict(strict=True)


class StartRequest(_Body):
    """Body of `POST /api/session/start`; may be absent."""

    user_id: (
        Annotated[str, Field(pattern=_USER_ID, json_schema_extra=_never(f"^{UNVERIFIED}"))] | None
    ) = Field(
        None,
        examples=["ada"],
        description="Who it is for. With AUTH_MODE=jwt the token says so, and this must be the "
        "same; otherwise it is a label that proves nothing.",
    )
    queue: bool = Field(True, description="Whether to wait in line when every slot is taken.")
    remember: bool = Field(
        False,
        description="Whether the conversation is remembered for the user's next session; for users "
        "who are known by their token.",
    )
    persona: _Persona | None = Field(
        None, description="Whom the user talks with: one of `PERSONA` and `PERSONAS`."
    )

    @model_validator(mode="after")
    def _check_user_id(self) -> Self:
        if self.user_id is not None and self.user_id.startswith(UNVERIFIED):
            raise ValueError(f"userId: names that start with {UNVERIFIED} are made by us")
        return self


class StopRequest(_Body):
    """Body of `POST /api/session/stop`. The secret may come here too: a page that is being
    closed can send a beacon, and beacons carry no headers."""

    session_id: _SessionIdText
    session_secret: _Secret | None = Field(None, examples=["Wq3vJ0…"], description=_PROOF_HERE)


class RejoinRequest(_Body):
    """Body of `POST /api/token` for a session that was started over this API."""

    session_id: _SessionIdText
    session_secret: _Secret | None = Field(None, examples=["Wq3vJ0…"], description=_PROOF_HERE)


def _either(snake: str) -> AliasChoices:
    return AliasChoices(snake, to_camel(snake))


class AgentRequest(BaseModel):
    """One entry of `room_config.agents`: which agent, and nothing that would reach another."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent_name: str = Field(
        "",
        max_length=64,
        validation_alias=_either("agent_name"),
        description="`AGENT_NAME`, or nothing.",
    )
    metadata: str = Field(
        "",
        max_length=_MAX_METADATA_CHARS,
        description='May name a persona: `{"persona": "interviewer"}`.',
    )


class RoomConfigRequest(BaseModel):
    """The part of LiveKit's RoomConfiguration a client may ask for: one agent. No recording."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agents: Annotated[list[AgentRequest], Field(max_length=1)] = Field(
        [], description="Which agent."
    )


class StandardTokenRequest(BaseModel):
    """LiveKit's standard token request, as `TokenSource.endpoint` sends it.

    The room and the identity are made by us whatever is asked for: a room is for one session, and
    a chosen identity could put another participant out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    room_name: str = Field(
        "",
        max_length=256,
        validation_alias=_either("room_name"),
        json_schema_extra=_never("^vf-"),
        description="Replaced: each session has a room of its own.",
    )
    participant_identity: str = Field(
        "",
        max_length=256,
        validation_alias=_either("participant_identity"),
        description="Replaced: each user has an identity of our own.",
        json_schema_extra=_never("^([Aa][Gg][Ee][Nn][Tt]-|[Uu][Ss][Ee][Rr]-|[Ll][Kk])"),
    )
    participant_name: str = Field(
        "",
        max_length=128,
        validation_alias=_either("participant_name"),
        description="Shown to others in the room.",
    )
    participant_metadata: str = Field(
        "",
        max_length=_MAX_METADATA_CHARS,
        validation_alias=_either("participant_metadata"),
        description="Passed on as it is.",
    )
    participant_attributes: dict[
        Annotated[str, StringConstraints(min_length=1, max_length=64)],
        Annotated[str, StringConstraints(max_length=256)],
    ] = Field(
        {},
        max_length=_MAX_ATTRIBUTES,
        validation_alias=_either("participant_attributes"),
        description="Passed on as they are; none is named `lk.…`.",
        json_schema_extra={
            "propertyNames": {"minLength": 1, "maxLength": 64, **_never(r"^lk\.")},
        },
    )
    room_config: RoomConfigRequest | None = Field(
        None,
        validation_alias=_either("room_config"),
        examples=[{"agents": [{"agent_name": "voicefleet"}]}],
        description="Which agent, if there are several. Nothing else of a room can be asked for. "
        'Its metadata may name a persona: `{"persona": "interviewer"}`.',
    )
    persona: _Persona | None = Field(
        None,
        description="Whom the user talks with, as in a start; LiveKit's SDKs cannot send it, and "
        "have the agent's metadata for it.",
    )

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if self.room_name.startswith("vf-"):
            raise ValueError("room_name: names that start with vf- are made by us")
        if self.participant_identity.lower().startswith(("agent-", "user-", "lk")):
            raise ValueError("participant_identity: identities are made by us")
        return self

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

    @property
    def asked_persona(self) -> str | None:
        """The persona asked for, here or in the agent's metadata; not checked there."""
        agents = self.room_config.agents if self.room_config else []
        if self.persona is not None or not agents:
            return self.persona
        return _persona_in(agents[0].metadata)


def _persona_in(metadata: str) -> str | None:
    """Return the persona that an agent's metadata names; other metadata means nothing to us."""
    try:
        value = json.loads(metadata)
    except (ValueError, RecursionError):
        return None
    persona = value.get("persona") if isinstance(value, dict) else None
    return persona if isinstance(persona, str) else None


def _form(value: object) -> Literal["rejoin", "standard"]:
    is_rejoin = isinstance(value, dict) and ("sessionId" in value or "session_id" in value)
    return "rejoin" if is_rejoin else "standard"


class TokenRequest(
    RootModel[
        Annotated[
            Annotated[RejoinRequest, Tag("rejoin")]
            | Annotated[StandardTokenRequest, Tag("standard")],
            Discriminator(_form),
        ]
    ]
):
    """Body of `POST /api/token`; one that names a session asks to rejoin it."""


class ResizeRequest(_Body):
    """Body of `POST /api/pool/resize`."""

    size: Annotated[int, Field(ge=0, le=10_000)] | None = Field(
        examples=[20],
        description="How many warm processes the fleet shall have; null: no target any more, each "
        "worker keeps its own POOL_SIZE.",
    )


class DrainRequest(_Body):
    """Body of `POST /api/workers/{id}/drain`; may be absent."""

    draining: bool = Field(True, description="False lets it take sessions again.")
