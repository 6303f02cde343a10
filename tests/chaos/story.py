"""What a story has at hand: the stage, the users, and ways to look at what is really there."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx2
from redis.asyncio import Redis

from rooms.client import agent_identity
from sessions.connection import Temper, connect
from sessions.model import Session
from sessions.states import LIVE, State
from sessions.store import SessionStore
from tests.chaos.fates import REFUSED, Fate, Heard
from tests.chaos.front import Front
from tests.chaos.guests import Guest
from tests.chaos.halls import Halls, open_halls
from tests.chaos.ledger import Entry, Ledger
from tests.chaos.parts import Part, WorkerPart
from tests.chaos.stage import Stage
from tests.chaos.users import User, Visitor
from tests.chaos.voice import sentence
from tests.chaos.watcher import Watcher, watching
from tests.support.plain import NO_TLS
from tests.support.wait import eventually
from voicefleet_client import VoicefleetError

_CLEAN_WITHIN_S = 40.0
_LEADS_WITHIN_S = 30.0
_PAGE = 200
_MOST_USERS = 8
#: So many guests join at a time: fifty at once would be more work than their agents.
_JOIN_AT_ONCE = 5
#: Users, and their sessions as they were before the worst happened.
Calls = dict[User, Session]


@dataclass
class Story:
    """One story on a stage. What it looks at by itself is asked past the proxies."""

    stage: Stage
    front: Front
    watcher: Watcher
    store: SessionStore
    halls: Halls
    ledger: Ledger
    people: AsyncExitStack
    visitors: list[Visitor] = field(default_factory=list)
    #: Processes that stand still, and are to go on before the story is over.
    frozen: list[int] = field(default_factory=list)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_JOIN_AT_ONCE))
    _told: list[tuple[str, Sequence[Heard]]] = field(default_factory=list)

    async def users(self, number: int) -> list[User]:
        """Have users talk with agents: all of them were greeted."""
        users = [await self.user() for _ in range(number)]
        await asyncio.gather(*(user.arrive() for user in users))
        await asyncio.gather(*(self.until(user, State.ACTIVE) for user in users))
        return users

    async def users_of_all_workers(self, number: int) -> list[User]:
        """Have so many users talk, or some more: until every worker holds one of the calls."""
        users = await self.users(number)
        wanted = {worker.id for worker in self.stage.workers if worker.is_up}
        while {(await self.session(user)).worker_id for user in users} < wanted:
            assert len(users) < _MOST_USERS, "LiveKit gives all calls to one worker"
            users += await self.users(1)
        return users

    async def parted(self, users: Sequence[User]) -> tuple[Calls, Calls]:
        """Return the calls that share the process of the first user's agent, and the other calls.

        More users come until there are others.
        """
        calls = {user: await self.session(user) for user in users}
        home = _home(next(iter(calls.values())))
        while all(_home(session) == home for session in calls.values()):
            assert len(calls) < _MOST_USERS, "all calls share one process"
            calls |= {user: await self.session(user) for user in await self.users(1)}
        hit = {user: session for user, session in calls.items() if _home(session) == home}
        return hit, {user: session for user, session in calls.items() if user not in hit}

    async def user(self, *, user_id: str | None = None) -> User:
        """Have a user who has not done anything yet."""
        user = await self.people.enter_async_context(User(self.front, user_id=user_id))
        self.visitors.append(user)
        return user

    def guest(self) -> Guest:
        """Have somebody who will only look whether there is an agent."""
        guest = Guest(self.front, self._turns)
        self.people.push_async_callback(guest.leave)
        self.visitors.append(guest)
        return guest

    async def session(self, visitor: Visitor) -> Session:
        """Return a session as the store has it."""
        return await self.store.get(visitor.id)

    async def until(self, visitor: Visitor, *states: State, deadline_s: float = 30.0) -> Session:
        """Wait until a session is in one of these states."""

        async def reached() -> Session | None:
            session = await self.session(visitor)
            return session if session.status in states else None

        session = await eventually(reached, deadline_s, message=f"state {states}")
        assert session is not None
        return session

    async def worker_of(self, visitor: Visitor) -> WorkerPart:
        """Return the worker that holds a call."""
        return self.stage.worker_of((await self.session(visitor)).worker_id)

    async def leader(self) -> Part:
        """Wait until a token server leads, and return it: it has put its pid into its name."""

        async def found() -> Part | None:
            async with Redis.from_url(self.stage.services.redis_url, decode_responses=True) as one:
                known = await one.hgetall(f"{{{self.store.settings.redis_prefix}}}:store")
            if int(known.get("leaderUntil", 0)) <= await self.store.now():
                return None
            pid = int(str(known["leader"]).split(":")[1])
            alive = (server for server in self.stage.servers if server.is_alive)
            return next((server for server in alive if server.pid == pid), None)

        leader = await eventually(found, _LEADS_WITHIN_S, message="somebody leads")
        assert leader is not None
        return leader

    async def held_by(self, worker: WorkerPart, users: Iterable[User]) -> list[User]:
        """Return those whose call a worker holds."""
        return [user for user in users if (await self.session(user)).worker_id == worker.id]

    def expect_loss(self, visitors: Iterable[Visitor]) -> None:
        """Take note that the agents of these are lost: they are to be replaced, and no others."""
        self.watcher.expect_loss(*(visitor.id for visitor in visitors))

    def signal(self, session: Session, number: signal.Signals) -> int:
        """Send a signal to the process of an agent; return its pid."""
        pid = session.agent_pid
        assert pid is not None
        if number is signal.SIGSTOP:
            self.frozen.append(pid)
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid

    async def alone(self, visitor: Visitor, deadline_s: float = 30.0) -> Session:
        """Wait until the agent that has a session is the only one in its room; return it."""

        async def is_alone() -> Session | None:
            session = await self.session(visitor)
            agents = await self.halls.agents(session.room)
            return session if agents == [agent_of(session)] else None

        session = await eventually(is_alone, deadline_s, message="one agent in the room")
        assert session is not None
        return session

    async def heard_again(self, before: Calls, lost_at: float, deadline_s: float) -> list[Heard]:
        """Return what each of these users heard of another agent than the one before."""
        waits = (
            user.heard_after(lost_at, deadline_s, other_than=agent_of(session))
            for user, session in before.items()
        )
        return list(await asyncio.gather(*waits))

    async def not_touched(self, before: Calls, deadline_s: float = 20.0) -> None:
        """Fail unless these calls go on as they were: same agent, and it is heard from now on."""
        now_s = time.monotonic()
        for user, session in before.items():
            heard = await user.heard_after(now_s, deadline_s)
            assert heard.fate is Fate.RECOVERED, heard
            now = await self.session(user)
            assert (now.epoch, now.job_id) == (session.epoch, session.job_id)

    async def begins(self, visitor: Visitor) -> Heard | None:
        """Start a session; return how it was refused, if it was."""
        try:
            await visitor.start()
        except VoicefleetError as error:
            return Heard(after_s=None, status=REFUSED, message=str(error))
        return None

    def tell(self, fault: str, heard: Sequence[Heard]) -> None:
        """Write down what became of those that a fault was done to; none of them may be lost."""
        self._told.append((fault, heard))
        lost = [one for one in heard if one.fate is Fate.LOST]
        assert not lost, f"{len(lost)} of {len(heard)} are lost: {lost}"

    async def end(self) -> None:
        """Let everybody go, mend the stage, and judge what is left."""
        for pid in self.frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        await self.stage.restore()
        await asyncio.gather(*(visitor.stop() for visitor in self.visitors))
        await self.people.aclose()
        await self.clear()
        accepted = [visitor.id for visitor in self.visitors if visitor.has_session]
        servers = [server.url for server in self.stage.servers]
        await self.watcher.judge_quiet(accepted, servers)
        for fault, heard in self._told:
            duplicates = self.watcher.duplicates
            self.ledger.write(Entry(fault=fault, heard=heard, duplicates=duplicates))

    async def clear(self) -> None:
        """End what is left of sessions, and wait until there is nothing but a fleet at rest."""
        for state in LIVE:
            page = await self.store.views.by_state(state, limit=_PAGE)
            await asyncio.gather(*(self.store.end(one.id) for one in page.sessions))
        await eventually(self._is_at_rest, _CLEAN_WITHIN_S, message="the fleet is at rest")

    async def _is_at_rest(self) -> bool:
        counts = await self.store.views.counts()
        assert not any(counts[state] for state in {*LIVE, State.ENDING}), counts
        assert not await self.halls.names(), "rooms are open"
        fleet = {worker.id: worker for worker in await self.store.fleet.workers()}
        for worker in self.stage.workers:
            one = fleet.get(worker.id)
            assert one is not None, f"{worker.name} is not in the list"
            assert one.takes_since_ms is not None, f"{worker.name} is not known to LiveKit"
            assert one.active == 0, f"{worker.name} has jobs"
            assert one.idle >= 2, f"{worker.name} has not enough warm processes"
        return True


def _home(session: Session) -> tuple[str | None, int | None]:
    """Return which process its agent lives in."""
    return session.worker_id, session.agent_pid


def agent_of(session: Session) -> str:
    """Return the identity of the participant of the agent that has a session."""
    return agent_identity(str(session.job_id))


@asynccontextmanager
async def told_on(stage: Stage, ledger: Ledger) -> AsyncIterator[Story]:
    """Tell a story: the stage is whole and at rest before, and afterwards again."""
    key, secret = stage.keys.livekit_api_key, stage.keys.livekit_api_secret
    limits, settings = httpx2.Limits(max_connections=200), stage.store_settings()
    async with (
        httpx2.AsyncClient(verify=NO_TLS, limits=limits) as http,
        open_halls(stage.livekit_url, key, secret) as halls,
        watching(settings, halls) as watcher,
        # A story outlives a restart of Redis; its watcher takes note of it.
        aclosing(connect(settings, Temper.PATIENT)) as redis,
    ):
        story = Story(
            stage=stage,
            front=Front(stage, http),
            watcher=watcher,
            store=SessionStore(redis, settings),
            halls=halls,
            ledger=ledger,
            people=AsyncExitStack(),
        )
        try:
            await story.clear()
            # Made once, which takes a second or two: not while a story looks at the clock.
            await asyncio.to_thread(sentence)
            yield story
        finally:
            await story.end()
