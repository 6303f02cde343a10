"""The Python client and the real server, which restarts, is full, refuses, or is somebody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import httpx2
import pytest

from devstack.services.ports import free_port
from sessions.fleet import Registration
from sessions.ids import SessionId, WorkerId
from sessions.journal import LogLine
from sessions.model import AgentProcess
from sessions.records import Failure, Part, Usage
from sessions.records import TurnTimes as RecordedTurn
from tests.support.plain import NO_TLS
from tests.support.replicas import (
    ADMIN_KEY,
    Replicas,
    Standing,
    nobody_left,
    standing_server,
)
from tests.support.servers import LiveKitServer, RedisServer
from voicefleet_client import (
    Admin,
    ApiError,
    SessionHandle,
    SessionView,
    Unreachable,
    Voicefleet,
    VoicefleetError,
)

DEADLINE_S = 60.0


@pytest.fixture
async def cleanup() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack, asyncio.timeout(110):
        yield stack


@pytest.fixture(scope="module")
def standing(
    redis_server: RedisServer,
    livekit_server: LiveKitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Standing]:
    """One slot, no agents."""
    logs = tmp_path_factory.mktemp("client")
    with standing_server(redis_server, livekit_server, logs) as server:
        yield server


@pytest.fixture
async def server(standing: Standing) -> AsyncIterator[Standing]:
    async with nobody_left(standing):
        yield standing


@pytest.fixture
async def fleet(server: Standing, cleanup: AsyncExitStack) -> Voicefleet:
    return await cleanup.enter_async_context(Voicefleet(server.url))


@pytest.fixture
async def admin(server: Standing, cleanup: AsyncExitStack) -> Admin:
    return await cleanup.enter_async_context(Admin(server.url, admin_key=ADMIN_KEY))


async def test_the_life_of_a_session(fleet: Voicefleet) -> None:
    session = await fleet.start(user_id="ada")
    assert session.token is not None
    assert await session.admitted() == session.token
    view = await session.view()
    assert (view.session_id, view.status, view.is_over) == (session.id, "starting", False)
    assert view.token is not None
    assert (await session.fresh_token()).server_url == session.token.server_url
    again = fleet.session(session.id, session.secret)
    assert (await again.view()).session_id == session.id
    assert (await again.stop()).status == "ended"
    assert (await session.stop()).is_over
    with pytest.raises(ApiError) as refused:
        await session.fresh_token()
    assert (refused.value.status, refused.value.code) == (409, "session_over")


async def test_through_the_line(fleet: Voicefleet) -> None:
    """1. One has the slot. 2. Another one waits for it. 3. The first one stops."""
    first, second = await fleet.start(), await fleet.start()
    assert (second.token, second.queue and second.queue.position) == (None, 1)
    waiting = asyncio.create_task(second.admitted())
    with pytest.raises(ApiError) as refused:
        await fleet.start(may_wait=False)
    assert (refused.value.status, refused.value.code) == (429, "at_capacity")
    assert refused.value.retry_after_s
    await first.stop()
    token = await asyncio.wait_for(waiting, DEADLINE_S)
    assert token.participant_token


async def test_a_wait_that_comes_to_nothing_says_so(fleet: Voicefleet) -> None:
    first, second = await fleet.start(), await fleet.start()
    waiting = asyncio.create_task(second.admitted())
    await second.stop()
    with pytest.raises(VoicefleetError, match="before an agent came"):
        await asyncio.wait_for(waiting, DEADLINE_S)
    await first.stop()


async def test_the_same_key_is_the_same_session(fleet: Voicefleet) -> None:
    key = "a-key-of-the-caller"
    one, same = await fleet.start(idempotency_key=key), await fleet.start(idempotency_key=key)
    assert (one.id, one.secret) == (same.id, same.secret)
    with pytest.raises(ApiError) as refused:
        await fleet.start(idempotency_key=key, user_id="bob")
    assert refused.value.code == "idempotency_conflict"


async def test_following_outlives_a_restart_of_the_server(
    replicas: Replicas, cleanup: AsyncExitStack
) -> None:
    """1. Somebody follows. 2. The server stops, and is started again. 3. The session ends.

    Result: the same `async for` tells of the end, and told nothing twice.
    """
    server = await replicas.start()
    fleet = await cleanup.enter_async_context(Voicefleet(server.url))
    session = await fleet.start()
    seen: list[SessionView] = []
    has_begun = asyncio.Event()

    async def follow() -> None:
        async for view in session.follow():
            seen.append(view)
            has_begun.set()

    following = asyncio.create_task(follow())
    await asyncio.wait_for(has_begun.wait(), DEADLINE_S)
    server.signal()
    assert await server.exit_status() == 0
    await server.start()
    await session.stop()
    await asyncio.wait_for(following, DEADLINE_S)
    assert (seen[0].status, seen[-1].status) == ("starting", "ended")
    revisions = [view.revision for view in seen]
    assert revisions == sorted(set(revisions))


async def test_following_goes_on_after_refusals_that_pass(
    replicas: Replicas, cleanup: AsyncExitStack
) -> None:
    """The server has one place for those who follow, and it is taken for a while."""
    server = await replicas.start(WATCHERS_LIMIT="1")
    fleet = await cleanup.enter_async_context(Voicefleet(server.url))
    session = await fleet.start()
    async with aclosing(session.follow()) as first:
        assert (await anext(first)).status == "starting"
        second = session.follow()
        following = asyncio.create_task(anext(second))
        with pytest.raises(ApiError) as refused:
            await session.view(wait_s=1)
        assert (refused.value.status, refused.value.code) == (503, "too_many_watchers")
        impatient = session.follow(patience_s=0)
        with pytest.raises(ApiError):
            await anext(impatient)
    view = await asyncio.wait_for(following, DEADLINE_S)
    assert view.status == "starting"
    await second.aclose()


async def test_of_what_is_over_following_tells_once(fleet: Voicefleet) -> None:
    session = await fleet.start()
    await session.stop()
    assert [view.status async for view in session.follow()] == ["ended"]


async def test_a_long_poll(fleet: Voicefleet) -> None:
    session = await fleet.start()
    known = (await session.view()).revision
    waiting = asyncio.create_task(session.view(wait_s=20, since=known))
    await session.stop()
    assert (await waiting).revision > known


async def test_what_is_on_record(
    fleet: Voicefleet, standing: Standing, cleanup: AsyncExitStack
) -> None:
    session = await fleet.start()
    assert (await session.logs(), await session.transcript()) == ([], [])
    store = await cleanup.enter_async_context(standing.store())
    session_id = SessionId(session.id)
    await store.journal.log(
        session_id, [LogLine(level="info", text=text) for text in ("one", "two", "three")]
    )
    assert [line.text for line in await session.logs(last=2)] == ["two", "three"]
    agent = AgentProcess(worker_id=WorkerId("w"), pid=1, job_id="AJ_one", prewarmed=True)
    await store.claim(session_id, 1, agent)
    await store.conversations.append(session_id, 1, turn_id="t", role="user", text="Hello!")
    assert [turn.text for turn in await session.transcript()] == ["Hello!"]
    assert await session.record() == []
    written = Part(
        epoch=1,
        moments_ms={"claimed": 1_700_000_000_000, "user_joined": 1_700_000_000_500},
        turns=(RecordedTurn(role="assistant", at_ms=1, first_token_ms=210),),
        usage=(Usage(stage="llm", provider="p", model="m", input_tokens=12),),
        failures=(Failure(stage="tts", kind="APIError", is_recoverable=True, last_at_ms=2),),
        outcome="ended",
        reason="user_left",
    )
    await store.records.write(session_id, written)
    (one,) = await session.record()
    assert (one.epoch, one.outcome, one.reason) == (1, "ended", "user_left")
    assert one.timeline_ms["userJoined"] - one.timeline_ms["claimed"] == 500
    assert "greeted" not in one.timeline_ms
    assert [(turn.role, turn.first_token_ms) for turn in one.turns] == [("assistant", 210)]
    assert one.usage[0]["inputTokens"] == 12
    assert one.errors[0]["kind"] == "APIError"


async def test_what_operators_do(fleet: Voicefleet, admin: Admin) -> None:
    """More sessions than a page holds: one talks, the others wait."""
    handles = [await fleet.start() for _ in range(61)]
    listed = [session async for session in admin.sessions("live")]
    assert {one["sessionId"] for one in listed} == {handle.id for handle in handles}
    assert len(listed) == 61
    assert len([one async for one in admin.sessions("starting")]) == 1
    assert [one async for one in admin.sessions(user="nobody")] == []
    assert [one async for one in admin.sessions(worker="w-1")] == []
    talking = handles[0]
    assert await admin.session(talking.id) in listed
    assert (await admin.stop(talking.id))["status"] == "ended"
    glance = await admin.fleet()
    assert glance["sessions"]["queued"] == glance["queue"]["length"] == 59
    assert {"no_worker", "long_queue"} <= {alert["code"] for alert in glance["alerts"]}
    assert glance["circuits"]["providers"] == []
    history = await admin.history(minutes=5)
    assert [len(history["points"]), len((await admin.history())["points"])] == [5, 60]
    assert sum(point["admitted"] for point in history["points"]) >= 2
    assert (await admin.resize_pool(7))["target"] == 7
    assert (await admin.resize_pool(None))["target"] is None
    for unknown in ("w-1", "a/../b", "what?"):
        with pytest.raises(ApiError) as refused:
            await admin.drain(unknown)
        assert refused.value.status in {400, 404}, unknown
    for ask in (admin.session, admin.stop):
        with pytest.raises(ApiError) as refused:
            await ask("0" * 32)
        assert (refused.value.status, refused.value.code) == (404, "session_not_found")


async def test_a_worker_is_drained(
    admin: Admin, standing: Standing, cleanup: AsyncExitStack
) -> None:
    store = await cleanup.enter_async_context(standing.store())
    cleanup.push_async_callback(store.fleet.leave, WorkerId("w-1"))
    await store.fleet.register(Registration(id=WorkerId("w-1"), capacity=5, host="h", version="1"))
    assert await admin.drain("w-1") is True
    assert await admin.drain("w-1") is False
    assert [worker["draining"] for worker in (await admin.fleet())["workers"]] == [True]
    assert await admin.drain("w-1", draining=False) is True


async def test_without_the_key_nobody_is_an_operator(
    server: Standing, cleanup: AsyncExitStack
) -> None:
    stranger = await cleanup.enter_async_context(Admin(server.url, admin_key="not-the-admin-key"))
    with pytest.raises(ApiError) as refused:
        await stranger.fleet()
    assert (refused.value.status, refused.value.code) == (401, "unauthorized")


async def test_of_another_there_is_nothing_to_see(fleet: Voicefleet) -> None:
    mine, yours = await fleet.start(), await fleet.start()
    thief = fleet.session(yours.id, mine.secret)
    reads = (thief.logs, thief.transcript, thief.record)
    for ask in (thief.view, thief.stop, thief.fresh_token, *reads):
        with pytest.raises(ApiError) as refused:
            await ask()
        assert (refused.value.status, refused.value.code) == (404, "session_not_found")
    with pytest.raises(ApiError) as refused:
        await anext(thief.follow())
    assert refused.value.status == 404


async def test_nobody_listens(cleanup: AsyncExitStack) -> None:
    fleet = await cleanup.enter_async_context(Voicefleet(f"http://127.0.0.1:{free_port()}"))
    session = fleet.session("0" * 32, "secret")
    for ask in (fleet.start, fleet.health, session.view, session.stop):
        with pytest.raises(Unreachable):
            await ask()
    with pytest.raises(Unreachable):
        await anext(session.follow(patience_s=0))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>Please log in.</html>"),
        (200, b'{"hello": "world"}'),
        (200, b"[]"),
        (200, b"\xff\xfe"),
        (502, b"<html>Bad gateway</html>"),
        (404, b'{"error": "not found"}'),
        (500, b"null"),
    ],
)
async def test_somebody_else_answers(cleanup: AsyncExitStack, status: int, body: bytes) -> None:
    url = await cleanup.enter_async_context(_answering(status, body))
    fleet = await cleanup.enter_async_context(Voicefleet(url))
    admin = await cleanup.enter_async_context(Admin(url, admin_key=ADMIN_KEY))
    session = fleet.session("0" * 32, "secret")
    asks: list[Callable[[], object]] = [
        fleet.start,
        session.view,
        session.stop,
        session.fresh_token,
        session.logs,
        session.transcript,
        session.record,
        lambda: anext(session.follow(patience_s=0)),
        lambda: anext(admin.sessions()),
        lambda: admin.resize_pool(1),
        lambda: admin.drain("w"),
    ]
    for ask in asks:
        with pytest.raises(Unreachable):
            await ask()  # type: ignore[misc]


async def test_a_client_that_was_passed_in_stays_open() -> None:
    async with httpx2.AsyncClient(verify=NO_TLS) as http:
        async with Voicefleet("http://127.0.0.1:1", http=http):
            pass
        assert not http.is_closed


async def test_no_secret_is_shown(fleet: Voicefleet, admin: Admin) -> None:
    session = await fleet.start()
    view = await session.view()
    token = await session.fresh_token()
    assert session.token is not None
    assert view.token is not None
    shown = repr((fleet, admin, session, view, token, vars(fleet), vars(admin)))
    secrets = [session.secret or "", ADMIN_KEY]
    secrets += [one.participant_token for one in (session.token, view.token, token)]
    assert session.id in shown
    assert not [secret for secret in secrets if secret in shown]
    stranger = SessionHandle(transport=session.transport, id=session.id, secret="s3cret" * 8)
    with pytest.raises(ApiError) as refused:
        await stranger.view()
    assert "s3cret" not in repr(refused.value) + str(refused.value) + repr(vars(refused.value))


@asynccontextmanager
async def _answering(status: int, body: bytes) -> AsyncIterator[str]:
    """Run a server that gives one answer to everything."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
