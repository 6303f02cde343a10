"""What the scribes of one session need: a claimed session, and a Redis that can be away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from livekit.agents import AgentSession, ConversationItemAddedEvent
from livekit.agents.llm import ChatMessage, ChatRole
from pydantic import SecretStr

from sessions.assignment import Assignment
from sessions.connection import Temper, connect
from sessions.ids import UserId, WorkerId, new_identity, new_session_id
from sessions.model import AgentProcess, Newcomer
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.support.fault_proxy import FaultProxy, fault_proxy
from worker.voice.wishes import Wishes

USER = UserId("ada")
AGENT = AgentProcess(worker_id=WorkerId("w1"), pid=42, job_id="AJ_1", prewarmed=True)


@dataclass(frozen=True, slots=True)
class Desk:
    """A session of ours, a way to Redis that can fail, and one that does not."""

    assignment: Assignment
    agent: SessionStore
    proxy: FaultProxy
    store: SessionStore
    claimed: asyncio.Event = field(default_factory=asyncio.Event)

    async def admit(self) -> None:
        one = self.assignment
        await self.store.admit(Newcomer(id=one.session_id, user_id=USER, identity=one.identity))

    async def claim(self) -> None:
        await self.store.claim(self.assignment.session_id, 1, AGENT)
        self.claimed.set()

    async def said(self) -> list[tuple[str, str]]:
        turns = await self.store.conversations.of(self.assignment.session_id)
        return [(turn.role, turn.text) for turn in turns]

    async def logged(self) -> list[str]:
        return [line.text for line in await self.store.journal.logs(self.assignment.session_id)]


@asynccontextmanager
async def opened(settings: StoreSettings, store: SessionStore) -> AsyncIterator[Desk]:
    """Have a session that is claimed."""
    port = urlsplit(settings.redis_url.get_secret_value()).port
    assert port is not None
    async with fault_proxy(port) as proxy:
        url = SecretStr(f"redis://127.0.0.1:{proxy.port}/0")
        changed = settings.model_copy(update={"redis_url": url})
        redis = connect(changed, Temper.HASTY)
        assignment = Assignment(session_id=new_session_id(), user_id=USER, identity=new_identity())
        desk = Desk(assignment, SessionStore(redis, changed), proxy, store)
        try:
            await desk.admit()
            await desk.claim()
            yield desk
        finally:
            await redis.aclose()


def conversation() -> AgentSession[Wishes]:
    """Return a conversation that hears and says nothing by itself."""
    return AgentSession(userdata=Wishes(), vad=None)


def say(session: AgentSession[Wishes], role: ChatRole, text: str) -> ChatMessage:
    """Let something have been said."""
    message = ChatMessage(role=role, content=[text])
    session.emit("conversation_item_added", ConversationItemAddedEvent(item=message))
    return message
