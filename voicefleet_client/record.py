"""The record of a session as values. What the server adds later is left aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTimes:
    """How long the stages of one turn took, in ms; None where there was no such stage."""

    role: str
    at_ms: int
    interrupted: bool
    transcription_ms: int | None
    end_of_turn_ms: int | None
    first_token_ms: int | None
    first_sound_ms: int | None
    #: From the end of what the user said to the beginning of the answer.
    answer_ms: int | None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read one."""
        return cls(
            role=value["role"],
            at_ms=value["at"],
            interrupted=value["interrupted"],
            transcription_ms=value["transcriptionMs"],
            end_of_turn_ms=value["endOfTurnMs"],
            first_token_ms=value["firstTokenMs"],
            first_sound_ms=value["firstSoundMs"],
            answer_ms=value["answerMs"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRecord:
    """What one agent has written down."""

    #: Counts the agents that were sent, from 1.
    epoch: int
    #: Name of a moment -> ms since 1970; without those that did not happen.
    timeline_ms: Mapping[str, int]
    turns: list[TurnTimes]
    turns_left_out: int
    #: One for each model, and for each kind of error, as docs/api.md has them.
    usage: list[Mapping[str, Any]]
    errors: list[Mapping[str, Any]]
    #: None for an agent that is there, or was killed.
    outcome: str | None
    reason: str | None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read one."""
        timeline = {name: at for name, at in dict(value["timeline"]).items() if at is not None}
        return cls(
            epoch=value["epoch"],
            timeline_ms=timeline,
            turns=[TurnTimes.from_json(turn) for turn in value["turns"]],
            turns_left_out=value["turnsLeftOut"],
            usage=list(value["usage"]),
            errors=list(value["errors"]),
            outcome=value["outcome"],
            reason=value["reason"],
        )
