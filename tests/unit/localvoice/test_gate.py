"""The bounds on running and waiting work, with real threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from localvoice.errors import Busy, TimedOut
from localvoice.gate import Gate
from tests.support.wait import eventually


@pytest.fixture
async def stuck() -> AsyncIterator[threading.Event]:
    """Work waits for this event; it is set at the end whatever the test did."""
    event = threading.Event()
    yield event
    event.set()


def gate(slots: int = 1, queue_limit: int = 1, queue_timeout_s: float = 20) -> Gate:
    return Gate("test", slots=slots, queue_limit=queue_limit, queue_timeout_s=queue_timeout_s)


async def running(one: Gate, number: int) -> None:
    """Return once so much work runs."""

    async def does() -> bool:
        return one.running == number

    await eventually(does)


async def test_results_and_errors_come_back() -> None:
    one = gate()

    assert await one.run(lambda: 7, timeout_s=20) == 7
    with pytest.raises(ZeroDivisionError):
        await one.run(lambda: 1 // 0, timeout_s=20)
    await running(one, 0)
    one.close()


async def test_more_than_the_queue_holds_is_refused(stuck: threading.Event) -> None:
    one = gate(slots=1, queue_limit=1)
    first = asyncio.create_task(one.run(stuck.wait, timeout_s=20))
    await running(one, 1)
    second = asyncio.create_task(one.run(lambda: 2, timeout_s=20))
    await asyncio.sleep(0)  # lets the second one reach the queue

    with pytest.raises(Busy) as refused:
        await one.run(lambda: 3, timeout_s=20)

    assert refused.value.headers == {"Retry-After": "1"}
    assert one.waiting == 1
    stuck.set()
    assert (await first, await second) == (True, 2)
    one.close()


async def test_admitted_work_waits_instead(stuck: threading.Event) -> None:
    one = gate(slots=1, queue_limit=0)
    first = asyncio.create_task(one.run(stuck.wait, timeout_s=20))
    await running(one, 1)
    admitted = asyncio.create_task(one.run(lambda: 2, timeout_s=20, admitted=True))
    await asyncio.sleep(0)

    stuck.set()

    assert await admitted == 2
    await first
    one.close()


async def test_a_wait_in_the_queue_ends(stuck: threading.Event) -> None:
    one = gate(queue_timeout_s=0.01)
    first = asyncio.create_task(one.run(stuck.wait, timeout_s=20))
    await running(one, 1)

    with pytest.raises(Busy):
        await one.run(lambda: 2, timeout_s=20)

    assert one.waiting == 0
    stuck.set()
    await first
    one.close()


async def test_a_cancelled_caller_does_not_free_a_busy_thread(stuck: threading.Event) -> None:
    """1. A caller leaves while its thread works. 2. The slot stays taken until the thread ends."""
    one = gate(queue_limit=0)
    left = asyncio.create_task(one.run(stuck.wait, timeout_s=20))
    await running(one, 1)

    left.cancel()
    await asyncio.gather(left, return_exceptions=True)

    with pytest.raises(Busy):
        await one.run(lambda: 2, timeout_s=20)
    stuck.set()
    await running(one, 0)
    assert await one.run(lambda: 2, timeout_s=20) == 2
    one.close()


async def test_a_caller_that_leaves_the_queue_takes_no_slot(stuck: threading.Event) -> None:
    one = gate()
    first = asyncio.create_task(one.run(stuck.wait, timeout_s=20))
    await running(one, 1)
    second = asyncio.create_task(one.run(lambda: 2, timeout_s=20))
    await asyncio.sleep(0)

    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    stuck.set()
    await first

    await running(one, 0)
    assert one.waiting == 0
    assert await one.run(lambda: 3, timeout_s=20) == 3
    one.close()


async def test_slow_work_is_given_up(stuck: threading.Event) -> None:
    one = gate()

    with pytest.raises(TimedOut):
        await one.run(stuck.wait, timeout_s=0.01)

    assert one.running == 1
    stuck.set()
    await running(one, 0)
    one.close()


async def test_a_closed_gate_refuses() -> None:
    one = gate()
    one.close()

    with pytest.raises(Busy):
        await one.run(lambda: 1, timeout_s=20)
    assert one.running == 0


async def test_places_are_shared_by_running_and_waiting_work() -> None:
    one = gate(slots=1, queue_limit=1)

    with one.place(), one.place(), pytest.raises(Busy), one.place():
        pass
    with one.place():
        assert await one.run(lambda: 1, timeout_s=20, admitted=True) == 1
    one.close()
