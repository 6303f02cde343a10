"""Answers, as the frontend reads them: camelCase, times in ms since 1970 unless named otherwise."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from sessions.model import Place
from sessions.states import State


class Answer(BaseModel):
    """Base of all answers of ours."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    success: bool = True


class ErrorBody(BaseModel):
    """What went wrong: a code for programs, a message for people."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    code: str
    message: str
    retry_after: int | None = Field(None, description="Seconds after which trying again may help.")


class Refusal(BaseModel):
    """The one shape of every error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    success: Literal[False] = False
    error: ErrorBody


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


SessionIdText = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class SessionView(Answer):
    """What its owner may know of a session."""

    session_id: SessionIdText
    status: State
    message: str = Field(description="The status in words for the user.")
    revision: int = Field(description="Counts the changes of the session.")
    room_name: str
    created_at: int
    ready_at: int | None
    joined_at: int | None
    ended_at: int | None
    startup_time: float | None = Field(
        description="From admission to the agent being audible, in seconds."
    )
    prewarmed: bool | None = Field(description="Whether a warm process had it; null until claimed.")
    agent_state: str | None = Field(None, description="Listening, thinking, speaking, …")
    queue: QueuePlace | None = Field(None, description="While it waits for a slot.")
    server_url: str | None = Field(
        None, description="Where to join; to the owner, from admission until the user has joined."
    )
    participant_token: str | None = Field(None, description="Token to join with, as `serverUrl`.")
    error: ErrorBody | None = None


class SessionRecord(SessionView):
    """What an admin may know besides."""

    user_id: str | None
    worker_id: str | None
    agent_pid: int | None
    epoch: int
    losses: int = Field(description="How many of its agents were lost lately.")


class SessionPage(Answer):
    """Some sessions."""

    sessions: list[SessionRecord]
    next: str | None = Field(description="Pass it as `after` for the next page; null at the end.")


class Started(Answer):
    """A session that has its slot; its agent is on its way."""

    session_id: SessionIdText
    status: State
    message: str
    prewarmed: bool | None
    session_secret: str = Field(description="Proves ownership; keep it to yourself.")
    room_name: str
    server_url: str
    participant_token: str
    latency_ms: float = Field(description="How long the server took for this.")


class Waiting(Answer):
    """A session that waits for a slot. Ask for it, and it keeps its place."""

    session_id: SessionIdText
    status: Literal[State.QUEUED]
    message: str
    prewarmed: None = None
    session_secret: str
    room_name: str
    latency_ms: float
    estimated_wait: float | None = Field(description="As `queue.etaSeconds`.")
    queue: QueuePlace


class TokenAnswer(BaseModel):
    """A token, in LiveKit's spelling and in ours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    success: bool = True
    server_url: str
    participant_token: str
    serverUrl: str  # noqa: N815 - LiveKit's SDKs read snake_case, our own calls are camelCase
    participantToken: str  # noqa: N815
    sessionId: SessionIdText  # noqa: N815
    roomName: str  # noqa: N815
    sessionSecret: str | None = None  # noqa: N815


class LogLine(BaseModel):
    """One line of a session's log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: int
    level: str
    text: str


class Logs(Answer):
    """The last lines of a session's log, the oldest first."""

    session_id: SessionIdText
    logs: list[LogLine]


class TurnView(BaseModel):
    """What one side said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["user", "assistant"]
    text: str
    at: int


class Transcript(Answer):
    """The last turns of a session, the oldest first."""

    session_id: SessionIdText
    turns: list[TurnView]


class WebhookApplied(Answer):
    """Whether an event changed anything; a repeated one, or one of a foreign room, does not."""

    applied: bool
