"""What was said before this agent came: to the agent that it replaces, and in earlier sessions.

Read while the agent joins, and told to the model as soon as it is there; nobody waits for it, and
without Redis the agent starts from nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from livekit.agents import AgentSession
from livekit.agents.llm import ChatContext, ChatMessage

from sessions.assignment import Assignment
from sessions.conversations import Turn
from sessions.errors import SessionError, StoreUnavailable, WrongSchema
from sessions.ids import UserId
from sessions.model import Session
from sessions.store import SessionStore
from worker.voice.wishes import Wishes

logger = logging.getLogger(__name__)

#: Later than this it would answer nobody's question any more.
_LOAD_S = 15.0
_RETRY_S = 0.5
#: The most words the model is given again, the last ones first: what a store may hold would not
#: fit into every model.
_MOST_CHARS = 24_000
#: What was said on other days keeps its roles, so that no user speaks with the voice of a system.
_BEFORE = "Now follows what was said in earlier conversations with this user, on other occasions."
_AFTER = "That was from earlier conversations. Here the conversation of now begins."


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What was said before. `was_heard`: whether the user has heard an agent in this session."""

    turns: Sequence[Turn] = ()
    memory: Sequence[Turn] = ()
    was_heard: bool


class Recall:
    """Reads the past of one session and tells it to its agent."""

    def __init__(self, store: SessionStore, assignment: Assignment) -> None:
        self._store = store
        self._assignment = assignment
        self._user_id = assignment.user_id if assignment.remember else None
        self._is_replacement = assignment.epoch > 1
        self._loading: asyncio.Task[Past | None] | None = None

    def begin(self) -> None:
        """Begin to read, where there may be anything to read."""
        if self._is_replacement or self._user_id is not None:
            self._loading = asyncio.create_task(self._load())

    async def tell(self, session: AgentSession[Wishes]) -> None:
        """Let the agent of a conversation that has begun know what was said before."""
        if self._loading is None or (past := await self._loading) is None:
            return
        if not past.turns and not past.memory:
            return
        agent = session.current_agent
        await agent.update_chat_ctx(with_past(agent.chat_ctx, past))
        logger.info(
            "told what was said before",
            extra={"turns_count": len(past.turns), "memory_count": len(past.memory)},
        )

    async def is_back(self, deadline_s: float) -> bool:
        """Say whether the user was talking with another agent before this one.

        When that cannot be known soon, it is likely for every agent but the first.
        """
        if self._loading is None or not self._is_replacement:
            return False
        done, _ = await asyncio.wait({self._loading}, timeout=deadline_s)
        past = self._loading.result() if done and not self._loading.cancelled() else None
        return past is None or past.was_heard

    def stop(self) -> None:
        """Give up what is still being read."""
        if self._loading is not None:
            self._loading.cancel()

    async def _load(self) -> Past | None:
        try:
            async with asyncio.timeout(_LOAD_S):
                while True:
                    try:
                        return await self._read()
                    except (StoreUnavailable, WrongSchema):
                        await asyncio.sleep(_RETRY_S)
        except TimeoutError:
            logger.warning("what was said before is not known", extra={"reason": "timeout"})
        except SessionError as error:
            logger.warning("what was said before is not known", extra={"reason": error.code})
        except Exception:
            # Whoever knows nothing of it still talks.
            logger.exception("what was said before is not known")
        return None

    async def _read(self) -> Past:
        memory = [] if self._user_id is None else await self._remembered(self._user_id)
        if not self._is_replacement:
            return Past(memory=memory, was_heard=False)
        session_id = self._assignment.session_id
        session, turns = await asyncio.gather(
            self._store.get(session_id), self._store.conversations.of(session_id)
        )
        return Past(turns=turns, memory=memory, was_heard=was_heard(session, turns))

    async def _remembered(self, user_id: UserId) -> list[Turn]:
        return await self._store.conversations.memory(user_id)


def was_heard(session: Session, turns: Iterable[Turn]) -> bool:
    """Say whether the user has heard an agent that came before the one that has the session now."""
    if any(turn.role == "assistant" for turn in turns):
        return True
    # Without transcripts: an earlier agent could be heard, and the user was there.
    if session.joined_at_ms is None or session.ready_at_ms is None:
        return False
    return session.claimed_at_ms is None or session.ready_at_ms < session.claimed_at_ms


def with_past(now: ChatContext, past: Past) -> ChatContext:
    """Return the context with what was said before, behind the instructions."""
    context = now.copy()
    place = next(
        (
            place
            for place, item in enumerate(context.items)
            if item.type != "message" or item.role not in {"system", "developer"}
        ),
        len(context.items),
    )
    turns = last_words(past.turns, _MOST_CHARS)
    memory = last_words(past.memory, _MOST_CHARS - sum(len(turn.text) for turn in turns))
    told = [_message(turn.role, turn.text, turn.at_ms) for turn in turns]
    if memory:
        told = [
            _message("system", _BEFORE, memory[0].at_ms),
            *(_message(turn.role, turn.text, turn.at_ms) for turn in memory),
            _message("system", _AFTER, memory[-1].at_ms),
            *told,
        ]
    context.items[place:place] = told
    return context


def last_words(turns: Sequence[Turn], most_chars: int) -> list[Turn]:
    """Return the last turns, the oldest first, as many as fit."""
    kept: list[Turn] = []
    for turn in reversed(turns):
        most_chars -= len(turn.text)
        if most_chars < 0:
            break
        kept.append(turn)
    return kept[::-1]


def _message(role: Literal["system", "user", "assistant"], text: str, at_ms: int) -> ChatMessage:
    # The framework puts new items behind all that are older; Redis's clock may be ahead of ours.
    created_at = min(at_ms / 1000, time.time())
    return ChatMessage(role=role, content=[text], created_at=created_at)
