"""Answers, as the frontend reads them: camelCase, times in ms since 1970 unless named otherwise."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict

from sessions.ids import SESSION_ID_PATTERN
from sessions.model import Place
from sessions.states import State
from tokenserver.access.settings import AuthMode


def _all_there(schema: JsonDict) -> None:
    """Tell in the document that an answer has all its fields, defaults or not."""
    fields = schema["properties"]
    if isinstance(fields, dict):
        schema["required"] = list(fields)


class Answer(BaseModel):
    """Base of all answers of ours."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        json_schema_extra=_all_there,
    )

    success: bool = Field(True, description="True: it is an answer, not a refusal.")


class ErrorBody(BaseModel):
    """What went wrong: a code for programs, a message for people."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    code: str = Field(description="For programs; it does not change.")
    message: str = Field(description="For people.")
    retry_after: int | None = Field(None, description="Seconds after which trying again may help.")


class Refusal(BaseModel):
    """The one shape of every error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    success: Literal[False] = Field(False, description="Always false.")
    error: ErrorBody = Field(description="What went wrong.")


class QueuePlace(BaseModel):
    """A place in line."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    position: int = Field(description="Counted from 1.")
    eta_seconds: float | None = Field(
        description="Estimated from how long recent sessions lasted; null while there were none."
    )

    @classmethod
    def of(cls, place: Place | None) -> QueuePlace | None:
        """Return the place of a session that waits, or None."""
        if place is None or place.position is None:
            return None
        eta_s = None if place.eta_ms is None else round(place.eta_ms / 1000, 1)
        return cls(position=place.position, eta_seconds=eta_s)


_AN_ID = "6f0c1b7e9a2d4c538e17d0b4a95f3c62"

SessionIdText = Annotated[
    str, Field(pattern=SESSION_ID_PATTERN, examples=[_AN_ID], description="Which session.")
]
RoomName = Annotated[
    str, Field(examples=[f"vf-{_AN_ID}"], description="Its room's name in LiveKit.")
]
ServerUrl = Annotated[str, Field(examples=["ws://127.0.0.1:7880"], description="Where to join.")]
Token = Annotated[str, Field(examples=["eyJhbGciOi…"], description="Token to join with.")]
Secret = Annotated[
    str, Field(examples=["Wq3vJ0…"], description="Proves ownership; keep it to yourself.")
]
#: In ms since 1970.
Time = Annotated[int, Field(examples=[1_764_000_000_000])]


class Options(Answer):
    """What a page has to know before a start."""

    persona: str = Field(description="Who speaks where a start names nobody.")
    personas: list[str] = Field(description="Whom a start may name; the default is among them.")
    auth_mode: AuthMode = Field(description="`jwt`: a start needs a user token.")
    queue: bool = Field(description="Whether a start may wait in line while all agents are busy.")
    version: str = Field(description="Which version of Voicefleet answers.")


class SessionView(Answer):
    """What its owner may know of a session."""

    session_id: SessionIdText
    status: State = Field(examples=[State.ACTIVE.value], description="Where it stands.")
    message: str = Field(
        description="The status in words for the user.", examples=["You are talking."]
    )
    revision: int = Field(description="Counts the changes of the session.")
    room_name: RoomName
    created_at: Time = Field(description="When it was asked for.")
    ready_at: Time | None = Field(description="When its agent was there; null before.")
    joined_at: Time | None = Field(description="When its user was there; null before.")
    ended_at: Time | None = Field(description="When it was over; null before.")
    startup_time: float | None = Field(
        description="From admission to the agent being audible, in seconds."
    )
    prewarmed: bool | None = Field(description="Whether a warm process had it; null until claimed.")
    persona: str | None = Field(
        None, description="Whom the start named; null is the default.", examples=["interviewer"]
    )
    reason: str | None = Field(
        None,
        description="Why it ended, where that is known: time_limit, user_left, user_away, …",
    )
    agent_state: str | None = Field(None, description="Listening, thinking, speaking, …")
    queue: QueuePlace | None = Field(None, description="While it waits for a slot.")
    server_url: ServerUrl | None = Field(
        None, description="Where to join; to the owner, from admission until the user has joined."
    )
    participant_token: Token | None = Field(None, description="Token to join with, as `serverUrl`.")
    error: ErrorBody | None = Field(None, description="Why it has failed, if it has.")


class SessionRecord(SessionView):
    """What an admin may know besides."""

    user_id: str | None = Field(description="Whose it is; null if nobody was named.")
    worker_id: str | None = Field(description="Which worker has its agent; null before one has.")
    agent_pid: int | None = Field(
        description="Process of its agent on that worker's machine; null while there is none."
    )
    agent_memory_bytes: int | None = Field(
        description="The agent's share of its machine's memory (PSS), at most 10 s old."
    )
    epoch: int = Field(description="Counts the agents that were sent, from 1.")
    losses: int = Field(description="How many of its agents were lost lately.")


class SessionPage(Answer):
    """Some sessions."""

    sessions: list[SessionRecord] = Field(
        description="Newest first, state by state; those that wait, oldest first."
    )
    next: str | None = Field(description="Pass it as `after` for the next page; null at the end.")


class Started(Answer):
    """A session that has its slot; its agent is on its way."""

    session_id: SessionIdText
    status: State = Field(examples=[State.STARTING.value], description="Where it stands.")
    message: str = Field(
        examples=["An agent is on its way."], description="The same in words for the user."
    )
    prewarmed: bool | None = Field(
        description="Whether a warm process has it; null until one has taken it.", examples=[None]
    )
    session_secret: Secret
    room_name: RoomName
    server_url: ServerUrl
    participant_token: Token
    latency_ms: float = Field(examples=[11.2], description="How long the server took for this.")


class Waiting(Answer):
    """A session that waits for a slot. Ask for it, and it keeps its place."""

    session_id: SessionIdText
    status: Literal[State.QUEUED] = Field(description="It waits in line.")
    message: str = Field(description="The same in words for the user.")
    prewarmed: None = Field(None, description="Always null: no process has it yet.")
    session_secret: Secret
    room_name: RoomName
    latency_ms: float = Field(description="How long the server took for this.")
    estimated_wait: float | None = Field(description="As `queue.etaSeconds`.")
    queue: QueuePlace = Field(description="Its place in line.")


class TokenAnswer(BaseModel):
    """A token, in LiveKit's spelling and in ours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    success: bool = Field(True, description="True: it is an answer, not a refusal.")
    server_url: ServerUrl
    participant_token: Token
    serverUrl: ServerUrl  # noqa: N815 - LiveKit's SDKs read snake_case, our own calls are camelCase
    participantToken: Token  # noqa: N815
    sessionId: SessionIdText  # noqa: N815
    roomName: RoomName  # noqa: N815
    sessionSecret: Secret | None = Field(  # noqa: N815
        None, description="Proves ownership; null where the session was there before."
    )


class LogLine(BaseModel):
    """One line of a session's log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: Time = Field(description="When it was written.")
    level: str = Field(description="`debug`, `info`, `warning`, `error` or `critical`.")
    text: str = Field(description="What was written.")


class Logs(Answer):
    """The last lines of a session's log, the oldest first."""

    session_id: SessionIdText
    logs: list[LogLine] = Field(description="Its lines.")


class TurnView(BaseModel):
    """What one side said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["user", "assistant"] = Field(description="Whose turn it was.")
    text: str = Field(description="What was said.")
    at: Time = Field(description="When it was noted.")


class Transcript(Answer):
    """The last turns of a session, the oldest first."""

    session_id: SessionIdText
    turns: list[TurnView] = Field(description="Its turns.")


class WebhookApplied(Answer):
    """Whether an event changed anything; a repeated one, or one of a foreign room, does not."""

    applied: bool = Field(description="Whether it did.")
