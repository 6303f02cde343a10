"""Sessions as the services make them, one or thousands at a time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

from redis.asyncio import Redis

from sessions.ids import SessionId, UserId, WorkerId, new_identity, new_session_id
from sessions.keys import Keys
from sessions.model import AgentProcess, Newcomer, UserPolicy, Vitals
from sessions.settings import StoreSettings
from sessions.states import TERMINAL
from sessions.store import SessionStore

Item = TypeVar("Item")

_CLIENTS = 64
#: The stream of events holds about 4,000, and each of these sessions leaves five there.
_SESSIONS_FOR_THE_STREAM = 1_200
#: Nothing lapses while the benchmark prepares; a lease of another length takes no other memory.
LASTING: dict[str, float] = {
    "start_lease_s": 600.0,
    "agent_lease_s": 600.0,
    "ticket_ttl_s": 600.0,
    "queue_limit": 100_000,
}
_VITALS = Vitals(agent_state="listening", pss_bytes=180_355_072)


def newcomer(number: int | None = None, *, user_id: str | None = None) -> Newcomer:
    """Return who asks for a session; without a number, a user without a name."""
    if number is not None:
        user_id = f"user-{number}@example.com"
    return Newcomer(
        id=new_session_id(),
        user_id=None if user_id is None else UserId(user_id),
        identity=new_identity(),
        secret_hash=secrets.token_hex(32),
    )


def agent() -> AgentProcess:
    """Return a process as one of eight workers would name it."""
    return AgentProcess(
        worker_id=WorkerId(f"agents-7c9f4d-{secrets.randbelow(8):08x}"),
        pid=10_000 + secrets.randbelow(20_000),
        job_id=f"AJ_{secrets.token_hex(6)}",
        prewarmed=True,
    )


async def go_live(store: SessionStore, who: Newcomer) -> SessionId:
    """Take a session from the request to where both talk, and one heartbeat further."""
    admission = await store.admit(who, policy=UserPolicy.REPLACE)
    await take_over(store, admission.session_id, admission.epoch)
    return admission.session_id


async def take_over(store: SessionStore, session_id: SessionId, epoch: int) -> None:
    """Do what an agent and its user do with a session that has its slot."""
    await store.claim(session_id, epoch, agent())
    await store.mark_ready(session_id, epoch)
    await store.mark_joined(session_id)
    await store.renew(session_id, epoch, _VITALS)


async def finish(store: SessionStore, session_id: SessionId) -> None:
    """End a session and close its room."""
    await store.end(session_id)
    await store.mark_closed(session_id)


async def each(
    items: Sequence[Item],
    work: Callable[[Item], Awaitable[object]],
    tell: Callable[[str], None],
    what: str,
) -> None:
    """Do the work for all items, many at a time."""
    done = 0
    left: Iterator[Item] = iter(items)

    async def client() -> None:
        nonlocal done
        for item in left:
            await work(item)
            done += 1
            if done % 500 == 0:
                tell(f"{what}: {done:,} of {len(items):,}")

    await at_once(min(_CLIENTS, len(items)), client)


async def at_once(count: int, client: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run so many clients at a time. Raises the first error of one."""
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(client())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def fill_capped_keys(
    redis: Redis, settings: StoreSettings, tell: Callable[[str], None]
) -> None:
    """Fill what is as long as it may get, by sessions of which nothing else is left.

    The records that would be kept for the history are deleted.
    """
    store, gone = SessionStore(redis, settings), list[SessionId]()

    async def pass_through(_: int) -> None:
        session_id = await go_live(store, newcomer())
        await finish(store, session_id)
        gone.append(session_id)

    await each(range(_SESSIONS_FOR_THE_STREAM), pass_through, tell, "filling the stream")
    keys = Keys(settings.redis_prefix)
    await redis.delete(
        *(keys.session(session_id) for session_id in gone),
        *(keys.in_state(state) for state in TERMINAL),
    )
