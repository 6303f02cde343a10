"""Many callers at once: as many are taken as there are places, and never one more."""

from __future__ import annotations

import asyncio

import pytest

from sessions.states import State
from tests.integration.worker.fleet import READY_S, Call, Fleet, WorkerProcess
from tests.support.wait import eventually

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("empty_store")]

PLACES = 10
#: Ten agents that start at once keep two cores busy for a while.
BURST_S = 90.0
DECLINED = '"answer": "decline"'
REGISTERED = '"message": "registered worker"'


async def burst(fleet: Fleet, callers: int) -> list[Call]:
    """Admit sessions, then open all their rooms at once."""
    calls = [fleet.new_call() for _ in range(callers)]
    for call in calls:
        await fleet.admit(call)
    await asyncio.gather(
        *(fleet.send_agent(call, call.assignment().to_metadata()) for call in calls)
    )
    return calls


async def taken(calls: list[Call]) -> list[Call]:
    """Return those that have an agent."""
    looks = await asyncio.gather(*(call.look() for call in calls))
    return [call for call, look in zip(calls, looks, strict=True) if look.status is State.READY]


async def until_taken(calls: list[Call], number: int) -> list[Call]:
    async def are_taken() -> bool:
        return len(await taken(calls)) >= number

    await eventually(are_taken, BURST_S, interval_s=0.2, message=f"{number} of {len(calls)}")
    return await taken(calls)


def declined(worker: WorkerProcess) -> int:
    return worker.log.read_text().count(DECLINED)


async def test_a_burst_of_its_capacity_is_taken_by_a_worker_with_few_warm_processes(
    fleet: Fleet,
) -> None:
    worker = await fleet.start_worker(
        WORKER_CAPACITY=str(PLACES), POOL_SIZE="3", NO_USER_TIMEOUT_S="300"
    )
    assert len(await until_taken(await burst(fleet, PLACES), PLACES)) == PLACES
    assert declined(worker) == 0


async def test_so_it_is_in_the_moment_in_which_livekit_knows_it(fleet: Fleet) -> None:
    worker = await fleet.start_worker(
        until_ready=False, WORKER_CAPACITY=str(PLACES), POOL_SIZE="3", NO_USER_TIMEOUT_S="300"
    )
    await eventually(lambda: worker.has_logged(REGISTERED), READY_S, interval_s=0.005)
    assert len(await until_taken(await burst(fleet, PLACES), PLACES)) == PLACES


async def test_what_is_too_much_for_one_goes_to_another(fleet: Fleet) -> None:
    """1. Twelve callers at once, ten places: two are declined, so that another may be asked. 2. A
    second worker comes, and two more callers: LiveKit asks both workers until one takes them.
    """
    first = await fleet.start_worker(
        WORKER_CAPACITY=str(PLACES), POOL_SIZE="3", NO_USER_TIMEOUT_S="300"
    )
    calls = await burst(fleet, PLACES + 2)
    await until_taken(calls, PLACES)

    async def are_declined() -> bool:
        return declined(first) == 2

    await eventually(are_declined, BURST_S)
    assert (await first.ask("/worker")).json()["active"] == PLACES
    assert '"answer": "refuse"' not in first.log.read_text()
    second = await fleet.start_worker(
        AGENT_NAME=first.agent_name,
        WORKER_CAPACITY=str(PLACES),
        POOL_SIZE="3",
        NO_USER_TIMEOUT_S="300",
    )
    fleet.agent_name = first.agent_name
    more = await until_taken(await burst(fleet, 2), 2)
    assert len(more) == 2
    assert (await first.ask("/worker")).json()["active"] == PLACES
    assert (await second.ask("/worker")).json()["active"] == 2
