"""A LiveKit that does not answer is asked a few times, and then left alone until it does."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from rooms.breaker import BreakerState
from rooms.client import Rooms, open_rooms
from rooms.errors import LiveKitRefused, LiveKitSpared, LiveKitUnavailable, RoomsError
from tests.integration.rooms.conftest import TIMEOUT_S, Settle, new_room
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.wait import eventually

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
FAILURES = 3
#: Long enough for a test to look at what is open; nobody waits for it.
LONG_S = 300.0


class Rig:
    """Rooms behind the proxy, and the changes their breaker told of."""

    def __init__(self, settle: Settle, proxy: FaultProxy) -> None:
        self._settle, self.proxy = settle, proxy
        self.heard: list[BreakerState] = []

    @asynccontextmanager
    async def rooms(self, **changed: object) -> AsyncIterator[Rooms]:
        values: dict[str, object] = {
            "livekit_url": f"ws://127.0.0.1:{self.proxy.port}",
            "livekit_timeout_s": TIMEOUT_S,
            "livekit_breaker_failures": FAILURES,
            "livekit_breaker_open_s": LONG_S,
        }
        settings = self._settle(**values | changed)
        async with open_rooms(settings, self.heard.append) as rooms, asyncio.timeout(60):
            yield rooms


@pytest.fixture
def rig(settle: Settle, proxy: FaultProxy) -> Rig:
    return Rig(settle, proxy)


async def outcome(rooms: Rooms) -> str:
    """Make one call; return the name of what it raised."""
    try:
        await rooms.close("no-such-room")
    except RoomsError as error:
        return type(error).__name__
    return "answered"


async def outcomes(rooms: Rooms, count: int) -> list[str]:
    return [await outcome(rooms) for _ in range(count)]


async def test_without_a_breaker_every_call_waits_for_a_dead_server(rig: Rig) -> None:
    """The failure this is about: each call reaches out, and ends at its deadline only."""
    await rig.proxy.switch(Fault.BLACK_HOLE)
    async with rig.rooms(livekit_breaker_failures=100, livekit_timeout_s=0.1) as rooms:
        assert await outcomes(rooms, 10) == ["LiveKitUnavailable"] * 10
        assert rig.proxy.connections == 10


async def test_with_one_only_the_first_calls_do(rig: Rig) -> None:
    await rig.proxy.switch(Fault.BLACK_HOLE)
    async with rig.rooms(livekit_timeout_s=0.1) as rooms:
        told = await outcomes(rooms, 10)
        assert told == ["LiveKitUnavailable"] * FAILURES + ["LiveKitSpared"] * (10 - FAILURES)
        assert rig.proxy.connections == FAILURES
        assert rig.heard == [OPEN]


async def test_a_refusal_waits_for_nothing_at_all(rig: Rig) -> None:
    await rig.proxy.switch(Fault.BLACK_HOLE)
    async with rig.rooms(livekit_timeout_s=0.1) as rooms:
        await outcomes(rooms, FAILURES)
        for call in (
            rooms.open("r", "{}"),
            rooms.close("r"),
            rooms.send_agent("r", "{}"),
            rooms.set_metadata("r", "{}"),
            rooms.agents("r"),
        ):
            with pytest.raises(LiveKitSpared) as caught:
                call.send(None)  # up to its first wait, if it had one
            assert LONG_S - 60 < caught.value.retry_after_s <= LONG_S * 1.2 + 1
        with pytest.raises(LiveKitSpared):
            await rooms.ping()


async def test_twenty_at_once_wait_once_and_the_next_twenty_not_at_all(rig: Rig) -> None:
    await rig.proxy.switch(Fault.BLACK_HOLE)
    async with rig.rooms() as rooms:
        first = await asyncio.gather(*(outcome(rooms) for _ in range(20)))
        assert set(first) == {"LiveKitUnavailable"}
        assert rig.heard == [OPEN]
        reached = rig.proxy.connections
        second = await asyncio.gather(*(outcome(rooms) for _ in range(20)))
        assert set(second) == {"LiveKitSpared"}
        assert rig.proxy.connections == reached >= FAILURES


@pytest.mark.parametrize(
    "fault", [Fault.BLACK_HOLE, Fault.REFUSE, Fault.RESET, Fault.CUT, Fault.HALF_CLOSE]
)
async def test_it_recovers_by_itself_once_the_server_answers(rig: Rig, fault: Fault) -> None:
    """1. The server answers. 2. It fails: open. 3. It answers: half-open, closed, nobody asking."""
    async with rig.rooms(livekit_breaker_open_s=0.5) as rooms:
        assert await outcome(rooms) == "answered"
        await rig.proxy.switch(fault)
        told = Counter(await outcomes(rooms, FAILURES + 1))
        assert told["answered"] == 0
        assert told["LiveKitUnavailable"] >= FAILURES
        assert rig.heard[0] is OPEN
        await rig.proxy.switch(Fault.PASS)
        await eventually(closed(rooms))
        assert rig.heard[-2:] == [HALF_OPEN, CLOSED]
        assert await outcomes(rooms, 3) == ["answered"] * 3


async def test_a_failed_try_opens_it_again(rig: Rig) -> None:
    await rig.proxy.switch(Fault.RESET)
    async with rig.rooms(livekit_breaker_open_s=0.1) as rooms:
        await outcomes(rooms, FAILURES)

        async def was_tried_twice() -> bool:
            return rig.heard[:5] == [OPEN, HALF_OPEN, OPEN, HALF_OPEN, OPEN]

        await eventually(was_tried_twice)
        await rig.proxy.switch(Fault.PASS)
        await eventually(closed(rooms))


async def test_only_one_call_tries_a_silent_server(rig: Rig) -> None:
    """While the one waits for an answer, the others are refused, and reach nobody."""
    await rig.proxy.switch(Fault.BLACK_HOLE)
    async with rig.rooms(livekit_breaker_open_s=0.2, livekit_timeout_s=2.0) as rooms:
        await asyncio.gather(*(outcome(rooms) for _ in range(FAILURES)))
        reached = rig.proxy.connections

        async def one_more_came() -> bool:
            return rig.proxy.connections == reached + 1

        await eventually(one_more_came)
        assert rooms.breaker.state is HALF_OPEN
        told = await asyncio.gather(*(outcome(rooms) for _ in range(20)))
        assert set(told) == {"LiveKitSpared"}
        assert rig.proxy.connections == reached + 1


async def test_a_slow_server_is_not_a_dead_one(rig: Rig) -> None:
    await rig.proxy.switch(Fault.DELAY, delay_s=0.05)
    async with rig.rooms(livekit_timeout_s=10.0, livekit_breaker_failures=1) as rooms:
        assert await outcomes(rooms, 3) == ["answered"] * 3
        assert rig.heard == []


async def test_a_server_that_says_no_is_there(rig: Rig) -> None:
    async with rig.rooms(livekit_api_secret="x" * 32, livekit_breaker_failures=1) as rooms:
        for _ in range(3):
            with pytest.raises(LiveKitRefused, match="does not take what we sign"):
                await rooms.open(new_room(), "{}")
            with pytest.raises(LiveKitRefused):
                await rooms.ping()
        assert rooms.breaker.state is CLOSED


async def test_a_room_that_is_not_there_is_an_answer(rig: Rig) -> None:
    async with rig.rooms(livekit_breaker_failures=1) as rooms:
        for _ in range(3):
            assert await rooms.close("no-such-room") is False
            assert await rooms.set_metadata("no-such-room", "{}") is False
            assert await rooms.agents("no-such-room") == []
        assert rooms.breaker.state is CLOSED


@pytest.mark.parametrize(
    ("status", "reason"), [("200 OK", "not LiveKit"), ("503 Service Unavailable", "503")]
)
async def test_what_answers_in_livekits_place_counts_as_a_failure(
    rig: Rig, status: str, reason: str
) -> None:
    """A load balancer without a server behind it, or somebody else's page."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        head = f"HTTP/1.1 {status}\r\nContent-Length: 6\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + b"<html>")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with rig.rooms(livekit_url=url, livekit_breaker_failures=1) as rooms:
        with pytest.raises(LiveKitUnavailable, match=reason):
            await rooms.agents("r")
        assert rooms.breaker.state is OPEN
    server.close()


async def test_pings_share_one_call_and_count_although_nobody_waits(rig: Rig) -> None:
    """Health probes give up before a dead server's deadline; the breaker learns all the same."""
    await rig.proxy.switch(Fault.BLACK_HOLE)
    async with rig.rooms() as rooms:
        for nth in range(1, FAILURES + 1):
            await asyncio.gather(*(impatient_ping(rooms) for _ in range(10)))
            assert rig.proxy.connections == nth
            with pytest.raises(LiveKitUnavailable):
                await rooms.ping()
            assert rig.proxy.connections == nth
        assert rooms.breaker.state is OPEN


async def test_a_ping_that_fails_unheard_is_no_error_in_the_log(rig: Rig) -> None:
    """asyncio reports the exception of a task that nobody asked for its outcome."""
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: reported.append(about))
    await rig.proxy.switch(Fault.BLACK_HOLE)
    async with rig.rooms(livekit_timeout_s=0.2, livekit_breaker_failures=2) as rooms:
        for _ in range(2):
            await impatient_ping(rooms)
            pinging = rooms._pinging
            assert pinging is not None
            await asyncio.wait({pinging})
        del pinging
    del rooms
    gc.collect()
    assert reported == []


async def test_closing_gives_up_what_nobody_waits_for(rig: Rig) -> None:
    before = asyncio.all_tasks()
    await rig.proxy.switch(Fault.BLACK_HOLE)
    async with rig.rooms(livekit_timeout_s=30.0) as rooms:
        await impatient_ping(rooms)
    await rig.proxy.switch(Fault.RESET)
    async with rig.rooms() as rooms:
        await outcomes(rooms, FAILURES)
        assert rooms.breaker.state is OPEN
    left = [task for task in asyncio.all_tasks() - before if "Rooms" in repr(task)]
    assert left == []


async def impatient_ping(rooms: Rooms) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await rooms.ping()


def closed(rooms: Rooms) -> Callable[[], Awaitable[bool]]:
    async def is_closed() -> bool:
        return rooms.breaker.state is CLOSED

    return is_closed
