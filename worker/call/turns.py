"""What is said in one session, written to the store as it happens.

Another agent goes on from it, the user may read it, and it is what a user who wants that is
remembered by. A turn is what was really said: of an answer that was interrupted, what was spoken.
Nothing waits for it. While Redis is away turns wait in their order, and the oldest are given up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass

from livekit.agents import AgentSession, ConversationItemAddedEvent
from livekit.agents.llm import ChatMessage

from sessions.assignment import Assignment
from sessions.conversations import Role
from sessions.errors import (
    InvalidInput,
    NotClaimed,
    SessionError,
    SessionNotFound,
    StoreUnavailable,
    WrongSchema,
)
from sessions.settings import Transcripts
from sessions.store import SessionStore
from worker.voice.wishes import Wishes

logger = logging.getLogger(__name__)

#: As many as the store keeps.
_MOST_WAITING = 200
_FIRST_RETRY_S = 0.2
_LONGEST_RETRY_S = 2.0
#: Redis is away, or the session is not claimed yet: it may well be later.
_NOT_NOW = (StoreUnavailable, WrongSchema, NotClaimed, SessionNotFound)


@dataclass(frozen=True, slots=True)
class Spoken:
    """One turn on its way to the store."""

    id: str
    role: Role
    text: str


class Turns:
    """Takes down what is said, and one task that writes it. Belongs to one session."""

    def __init__(self, store: SessionStore, assignment: Assignment, claimed: asyncio.Event) -> None:
        self._store = store
        self._assignment = assignment
        #: Until then, the session may be that of another job under the same epoch.
        self._claimed = claimed
        self._waiting: deque[Spoken] = deque(maxlen=_MOST_WAITING)
        self._news = asyncio.Event()
        self._is_over = False
        self._writing: asyncio.Task[None] | None = None

    def watch(self, session: AgentSession[Wishes]) -> None:
        """Take down what is said from now on, unless nothing is to be kept."""
        if self._store.settings.transcripts is Transcripts.OFF:
            return
        session.on("conversation_item_added", self._on_item)
        self._writing = asyncio.create_task(self._write())

    async def flush(self, deadline_s: float) -> None:
        """Write what still waits, as far as that can be done in time; nothing is taken after it."""
        if self._writing is None:
            return
        self._is_over = True
        self._news.set()
        patience_s = deadline_s if self._claimed.is_set() else 0
        _, late = await asyncio.wait({self._writing}, timeout=patience_s)
        if late:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        if self._waiting:
            logger.warning("turns not written", extra={"waiting_count": len(self._waiting)})

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        turn = spoken(event.item)
        if turn is not None and not self._is_over:
            self._waiting.append(turn)
            self._news.set()

    async def _write(self) -> None:
        await self._claimed.wait()
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                if not await self._put(self._waiting[0]):
                    self._waiting.clear()
                    return
            if self._is_over:
                return

    async def _put(self, turn: Spoken) -> bool:
        """Write one turn, however long it takes; False when the session takes none from us."""
        delay_s = _FIRST_RETRY_S
        while True:
            try:
                await self._store.conversations.append(
                    self._assignment.session_id,
                    self._assignment.epoch,
                    turn_id=turn.id,
                    role=turn.role,
                    text=turn.text,
                )
            except _NOT_NOW:
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, _LONGEST_RETRY_S)
            except InvalidInput as error:
                logger.warning("a turn cannot be written", extra={"code": error.code})
                break
            except SessionError as error:
                # Over, or another agent's: whoever has it writes.
                logger.info("no more turns are written", extra={"code": error.code})
                return False
            except Exception:
                # One turn is not worth those that follow.
                logger.exception("a turn cannot be written")
                break
            else:
                break
        # The oldest may have been given up meanwhile.
        if self._waiting and self._waiting[0] is turn:
            self._waiting.popleft()
        return True


def spoken(item: object) -> Spoken | None:
    """Return what was said in an item of the conversation; None for one that holds no words."""
    if not isinstance(item, ChatMessage):
        return None
    text = (item.text_content or "").strip()
    if not text:
        return None
    match item.role:
        case "user" | "assistant":
            return Spoken(id=item.id, role=item.role, text=text)
        case _:
            return None
