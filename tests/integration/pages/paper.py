"""A fleet on paper: a real token server, and in its store what workers and agents would write.

Nobody talks here. What the console shows of a worker, a call or a failure is what is written of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sessions.connection import Temper, connect
from sessions.conversations import Role
from sessions.fleet import Beat, Registration
from sessions.ids import SessionId, WorkerId
from sessions.journal import LogLine
from sessions.model import AgentProcess
from sessions.records import Failure, Part, TurnTimes, Usage
from sessions.store import SessionStore
from tests.support.replicas import ADMIN_KEY, Replica, Replicas, store_settings
from voicefleet_client import Admin, Voicefleet

WORKER = WorkerId("w-1")
CAPACITY = 10
#: More than the panel has room for.
LINES = 120
#: Whoever is on paper sends no heartbeats, and is not to be missed.
_PATIENT = {
    "MAX_SESSIONS": "8",
    "AGENT_LEASE_S": "600",
    "WORKER_LEASE_S": "600",
    "RECONCILE_INTERVAL_S": "300",
}
_WORDS: tuple[tuple[Role, str], ...] = (
    ("user", "What is seven plus five?"),
    ("assistant", "Seven plus five is twelve."),
)
#: When what happened, in ms after the agent was sent for.
_MOMENTS_MS = {
    "received": 12,
    "accepted": 15,
    "assigned": 40,
    "launched": 41,
    "entered": 48,
    "claimed": 70,
    "joined": 210,
    "published": 320,
    "user_joined": 500,
    "greeted": 610,
    "user_spoke": 4_000,
}
_USAGE = (
    Usage(stage="llm", provider="openai", model="m", input_tokens=1_200, requests=4),
    Usage(stage="tts", provider="openai", model="v", characters=310, audio_ms=21_000),
)


@dataclass(frozen=True, kw_only=True)
class PaperFleet:
    """A token server with the pages, its store, and who asks it for sessions."""

    server: Replica
    store: SessionStore
    users: Voicefleet
    admin: Admin

    @property
    def url(self) -> str:
        return self.server.url

    async def enlist(self, worker_id: WorkerId = WORKER, *, active: int = 0, idle: int = 3) -> None:
        """Let a worker be in the list, or say something else of itself."""
        await self.store.fleet.register(
            Registration(id=worker_id, capacity=CAPACITY, host="host-a", version="0.1.0")
        )
        load = active / CAPACITY
        beat = Beat(active=active, idle=idle, target=3, load=load, spawned=active + idle)
        await self.store.fleet.renew(worker_id, beat)

    async def start(self, user: str = "ada") -> SessionId:
        """Start a session for somebody who says that this is the name; it may have to wait."""
        return SessionId((await self.users.start(user_id=user)).id)

    async def bring_agent(
        self, session_id: SessionId, *, epoch: int = 1, worker_id: WorkerId = WORKER
    ) -> None:
        """Let an agent take the session, and the user be in the room."""
        agent = AgentProcess(
            worker_id=worker_id, pid=4711, job_id=f"AJ_{session_id[:8]}_{epoch}", prewarmed=True
        )
        await self.store.claim(session_id, epoch, agent)
        await self.store.mark_ready(session_id, epoch)
        await self.store.mark_joined(session_id)

    async def talk(self, user: str = "ada", *, worker_id: WorkerId = WORKER) -> SessionId:
        """Start a session, and bring its agent."""
        session_id = await self.start(user)
        await self.bring_agent(session_id, worker_id=worker_id)
        return session_id

    async def write_down(self, session_id: SessionId, *, epoch: int = 1) -> None:
        """Leave of a conversation what an agent would: words, log, and a record with errors."""
        for role, text in _WORDS:
            await self.store.conversations.append(
                session_id, epoch, turn_id=role, role=role, text=text
            )
        lines = [LogLine(level="info", text=f"line {number}") for number in range(LINES - 2)]
        lines.append(LogLine(level="warning", text="the model was silent"))
        lines.append(LogLine(level="error", text="no model answered"))
        await self.store.journal.log(session_id, lines, epoch=epoch)
        sent_ms = (await self.store.get(session_id)).dispatched_at_ms or await self.store.now()
        await self.store.records.write(session_id, _part(epoch, sent_ms))

    async def end(self, session_id: SessionId, reason: str = "user_left") -> None:
        """Let a session be over."""
        await self.store.end(session_id, reason=reason)
        await self.store.mark_closed(session_id)


def _part(epoch: int, sent_ms: int) -> Part:
    """Return what an agent has on record that was sent for at some time."""
    heard = TurnTimes(role="user", at_ms=sent_ms + 6_000, transcription_ms=180, end_of_turn_ms=420)
    said = TurnTimes(
        role="assistant",
        at_ms=sent_ms + 7_000,
        is_interrupted=True,
        first_token_ms=230,
        first_sound_ms=150,
        answer_ms=910,
    )
    made_good = Failure(
        stage="tts",
        label="openai",
        kind="silent",
        is_recoverable=True,
        count=2,
        last_at_ms=sent_ms + 7_500,
    )
    lost = Failure(
        stage="llm",
        label="all",
        kind="unreachable",
        is_recoverable=False,
        last_at_ms=sent_ms + 9_000,
    )
    return Part(
        epoch=epoch,
        moments_ms={name: sent_ms + ms for name, ms in _MOMENTS_MS.items()},
        turns=(heard, said),
        turns_left_out=3,
        usage=_USAGE,
        failures=(made_good, lost),
    )


@asynccontextmanager
async def paper_fleet(replicas: Replicas, pages: Path, **changes: str) -> AsyncIterator[PaperFleet]:
    """Run a token server with the pages; with some variables changed."""
    server = await replicas.start(WEB_DIR=str(pages), **(_PATIENT | changes))
    async with AsyncExitStack() as cleanup:
        settings = store_settings(server.env)
        redis = await cleanup.enter_async_context(aclosing(connect(settings, Temper.PATIENT)))
        yield PaperFleet(
            server=server,
            store=SessionStore(redis, settings),
            users=await cleanup.enter_async_context(Voicefleet(server.url)),
            admin=await cleanup.enter_async_context(Admin(server.url, admin_key=ADMIN_KEY)),
        )
