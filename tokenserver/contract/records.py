"""The record of a session, as an answer: when what happened, agent by agent."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from sessions.conversations import Role
from sessions.model import Session
from sessions.records import Failure, Part, TurnTimes, Usage
from tokenserver.contract.answers import Answer, SessionIdText, Time


class _Piece(BaseModel):
    """Base of what a record is made of."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )


class Moments(_Piece):
    """When what happened; null for what did not, or is not known."""

    dispatched: Time | None = Field(description="The agent was sent for, by the clock of Redis.")
    received: Time | None = Field(description="LiveKit asked a worker to take the job.")
    accepted: Time | None = Field(description="The worker said that it would.")
    assigned: Time | None = Field(description="LiveKit gave the worker the job.")
    launched: Time | None = Field(description="The worker gave the job to a process.")
    entered: Time | None = Field(description="The process began with it.")
    claimed: Time | None = Field(description="The agent took the session in the store.")
    joined: Time | None = Field(description="The agent was in the room.")
    published: Time | None = Field(description="The agent's track could be heard.")
    user_joined: Time | None = Field(description="The user was in the room.")
    greeted: Time | None = Field(description="The agent began to speak for the first time.")
    user_spoke: Time | None = Field(description="The first word of the user was understood.")


class TurnFigures(_Piece):
    """How long the stages of one turn took, in ms; null where there was no such stage."""

    role: Role = Field(description="Whose turn it was.")
    at: Time = Field(description="When it was noted.")
    interrupted: bool = Field(description="Whether the other side broke in.")
    transcription_ms: int | None = Field(description="From the end of speech to its words.")
    end_of_turn_ms: int | None = Field(description="From the end of speech to its being the end.")
    first_token_ms: int | None = Field(description="Until the first word of the model.")
    first_sound_ms: int | None = Field(description="From the first word to its first sound.")
    answer_ms: int | None = Field(
        description="From the end of what the user said to the beginning of the answer."
    )


class UsageFigures(_Piece):
    """What one model has done."""

    stage: str = Field(examples=["llm"], description="`stt`, `llm`, `tts`, …")
    provider: str = Field(description="As the framework calls it.")
    model: str = Field(description="Which model.")
    input_tokens: int = Field(description="What it was sent.")
    output_tokens: int = Field(description="What it answered.")
    characters: int = Field(description="What it spoke.")
    audio_ms: int = Field(description="What it heard, or spoke.")
    requests: int = Field(description="How often it was asked.")


class FailureFigures(_Piece):
    """What did not work, counted by its kind."""

    stage: str = Field(examples=["tts"], description="Where: `stt`, `llm`, `tts`, `realtime`, …")
    label: str = Field(description="Which provider, or `all` of the stage.")
    kind: str = Field(
        description="`silent`, `unreachable`, `busy` (429), `denied` (401, 403, 404), `broken` "
        "(5xx), `rejected` (another 4xx), `bug`, or `other`: too many kinds to be told apart.",
        examples=["silent"],
    )
    recoverable: bool = Field(
        description="It was tried again, or another model was asked: nothing was lost."
    )
    count: int = Field(description="How often.")
    last_at: Time = Field(description="When the last time.")


class AgentRecord(_Piece):
    """What one agent has written down, by the clock of its machine."""

    epoch: int = Field(description="Counts the agents that were sent, from 1.")
    timeline: Moments = Field(description="When what happened.")
    turns: list[TurnFigures] = Field(description="The last ones, the oldest first.")
    turns_left_out: int = Field(description="How many turns came before these.")
    usage: list[UsageFigures] = Field(description="Model by model.")
    errors: list[FailureFigures] = Field(description="Kind by kind.")
    outcome: str | None = Field(
        description="ended, failed or left; null for an agent that is there, or was killed."
    )
    reason: str | None = Field(description="Why it ended, where that is known.")


class Record(Answer):
    """How a session went: a part for each of its last agents. It holds no words."""

    session_id: SessionIdText
    created_at: Time = Field(description="When it was asked for.")
    admitted_at: Time | None = Field(description="When it got its slot; null before.")
    ready_at: Time | None = Field(description="When its agent was there; null before.")
    joined_at: Time | None = Field(description="When its user was there; null before.")
    ended_at: Time | None = Field(description="When it was over; null before.")
    agents: list[AgentRecord] = Field(description="The last ones, the oldest first.")


def record_of(session: Session, parts: list[Part]) -> Record:
    """Return what is on record of a session."""
    return Record(
        session_id=session.id,
        created_at=session.created_at_ms,
        admitted_at=session.admitted_at_ms,
        ready_at=session.ready_at_ms,
        joined_at=session.joined_at_ms,
        ended_at=session.ended_at_ms,
        agents=[_agent(part) for part in parts],
    )


def _agent(part: Part) -> AgentRecord:
    known = {"dispatched": part.dispatched_at_ms, **part.moments_ms}
    return AgentRecord(
        epoch=part.epoch,
        timeline=Moments(**{name: known.get(name) for name in Moments.model_fields}),
        turns=[_turn(one) for one in part.turns],
        turns_left_out=part.turns_left_out,
        usage=[_usage(one) for one in part.usage],
        errors=[_failure(one) for one in part.failures],
        outcome=part.outcome,
        reason=part.reason,
    )


def _turn(one: TurnTimes) -> TurnFigures:
    return TurnFigures(
        role=one.role,
        at=one.at_ms,
        interrupted=one.is_interrupted,
        transcription_ms=one.transcription_ms,
        end_of_turn_ms=one.end_of_turn_ms,
        first_token_ms=one.first_token_ms,
        first_sound_ms=one.first_sound_ms,
        answer_ms=one.answer_ms,
    )


def _usage(one: Usage) -> UsageFigures:
    return UsageFigures(
        stage=one.stage,
        provider=one.provider,
        model=one.model,
        input_tokens=one.input_tokens,
        output_tokens=one.output_tokens,
        characters=one.characters,
        audio_ms=one.audio_ms,
        requests=one.requests,
    )


def _failure(one: Failure) -> FailureFigures:
    return FailureFigures(
        stage=one.stage,
        label=one.label,
        kind=one.kind,
        recoverable=one.is_recoverable,
        count=one.count,
        last_at=one.last_at_ms,
    )
