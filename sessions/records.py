"""How a session went, agent by agent: when what happened, how long answers took, what they used,
what did not work. Numbers and names only: what was said is in conversations.py.

Each agent writes its own part, under its epoch, and again when more has happened; what one that
was lost had written stays. Its times are those of its own machine, but for when it was sent for.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sessions.codec import to_reply
from sessions.conversations import Role
from sessions.engine import Engine
from sessions.errors import InvalidInput
from sessions.ids import SessionId
from sessions.model import Reply
from sessions.scripts import translated_errors

logger = logging.getLogger(__name__)

#: The most that one agent may write down; the store keeps the parts of the last agents only.
MAX_PART_BYTES = 16_384

Name = Annotated[str, Field(max_length=100)]


class _Kept(BaseModel):
    """Part of a record. What a later version adds is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class TurnTimes(_Kept):
    """One turn of either side, and how long its stages took, in ms; None where there was none."""

    role: Role
    at_ms: int
    is_interrupted: bool = False
    #: From the end of what the user said to its words, and to the decision that it was all.
    transcription_ms: int | None = None
    end_of_turn_ms: int | None = None
    #: The model's first word, the first sound of it.
    first_token_ms: int | None = None
    first_sound_ms: int | None = None
    #: From the end of what the user said to the beginning of the answer.
    answer_ms: int | None = None


class Usage(_Kept):
    """What one model has done for one agent."""

    stage: Name
    provider: Name = ""
    model: Name = ""
    input_tokens: int = 0
    output_tokens: int = 0
    characters: int = 0
    audio_ms: int = 0
    requests: int = 0


class Failure(_Kept):
    """Something that did not work: of the same kind, counted."""

    stage: Name
    label: Name = ""
    #: In a word. The text of an error stays out: it may repeat what was said.
    kind: Name
    is_recoverable: bool
    count: int = 1
    last_at_ms: int


class Part(_Kept):
    """What one agent has written down. Times in ms since 1970."""

    epoch: int
    #: By the clock of Redis; None when nobody wrote it down.
    dispatched_at_ms: int | None = None
    #: Name of a moment -> when it was, by the clock of the agent's machine.
    moments_ms: Mapping[str, int] = Field(default_factory=dict)
    #: The last ones, the oldest first, and how many came before them.
    turns: tuple[TurnTimes, ...] = ()
    turns_left_out: int = 0
    usage: tuple[Usage, ...] = ()
    failures: tuple[Failure, ...] = ()
    #: How it ended for this agent; None for one that was killed, or still is there.
    outcome: str | None = None
    reason: str | None = None

    def to_text(self) -> str:
        """Return the part as it is kept."""
        return self.model_dump_json(exclude_defaults=True, exclude={"epoch", "dispatched_at_ms"})


class Records:
    """The records of sessions. Every method may raise what `SessionStore` says."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def write(self, session_id: SessionId, part: Part) -> Reply:
        """Keep an agent's part, in place of what it wrote before.

        Raises SessionNotFound, StaleEpoch, SessionOver when its user has been forgotten, and
        InvalidInput for one of more than `MAX_PART_BYTES`.
        """
        text = part.to_text()
        if len(text.encode()) > MAX_PART_BYTES:
            raise InvalidInput(f"a part of a record has at most {MAX_PART_BYTES} bytes")
        return to_reply(await self._engine.run_for("part", session_id, epoch=part.epoch, part=text))

    async def of(self, session_id: SessionId) -> list[Part]:
        """Return what a session's agents have written down, in the order they were sent."""
        with translated_errors():
            rows = await self._engine.redis.hgetall(self._engine.keys.record(session_id))
        parts = (_part(int(epoch), str(row)) for epoch, row in rows.items())
        return sorted((part for part in parts if part), key=lambda part: part.epoch)


def _part(epoch: int, row: str) -> Part | None:
    """Read "when it was sent for, part"; None for what no version of ours has written."""
    sent, _, text = row.partition(" ")
    known = {"epoch": epoch, "dispatched_at_ms": int(sent) or None}
    try:
        return Part.model_validate({**json.loads(text), **known})
    except (ValueError, TypeError):
        logger.warning("a part of a record cannot be read", extra={"epoch": epoch})
        return None
