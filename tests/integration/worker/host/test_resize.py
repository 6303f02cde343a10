"""`POST /api/pool/resize` on a token server changes workers that run."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from sessions.states import State
from tests.integration.worker.api import serving_api
from tests.integration.worker.fleet import CALL_S, READY_S, Fleet, WorkerProcess
from tests.support.wait import eventually

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("empty_store")]

#: The promise is 2 s; this machine may have a lot else to do.
RESIZE_S = 10.0


@pytest.fixture
def admin_key() -> str:
    return secrets.token_hex(16)


@pytest.fixture
async def http(fleet: Fleet, admin_key: str, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving_api(
        fleet, tmp_path / "tokenserver.log", {"ADMIN_API_KEY": admin_key, "CLAIM_DEADLINE_S": "60"}
    ) as client:
        client.headers["Authorization"] = f"Bearer {admin_key}"
        yield client


async def another(fleet: Fleet, worker: WorkerProcess, worker_id: str) -> WorkerProcess:
    """Start one for the same agent."""
    one = await fleet.start_worker(WORKER_ID=worker_id, AGENT_NAME=worker.agent_name)
    fleet.agent_name = worker.agent_name
    return one


async def described(worker: WorkerProcess) -> tuple[int, int]:
    """Return how many warm processes a worker shall have, and has."""
    seen = (await worker.ask("/worker")).json()
    return int(seen["poolTarget"]), int(seen["idle"])


async def resize(http: httpx2.AsyncClient, target: int | None) -> None:
    answer = await http.post("/api/pool/resize", json={"size": target})
    assert answer.status_code == 200, answer.text


async def until_pool(http: httpx2.AsyncClient, *workers: WorkerProcess, sizes: list[int]) -> float:
    """Wait until the workers have so many, and the API says so, too; return the seconds it took."""
    began = time.monotonic()

    async def has_them() -> bool:
        found = sorted([await described(worker) for worker in workers])
        pool = (await http.get("/api/fleet")).raise_for_status().json()["pool"]
        return found == [(size, size) for size in sizes] and pool["actual"] == sum(sizes)

    await eventually(has_them, RESIZE_S, message=str(sizes))
    return time.monotonic() - began


async def test_it_reaches_all_workers_up_and_down_and_those_that_start_later(
    fleet: Fleet, http: httpx2.AsyncClient
) -> None:
    first = await fleet.start_worker(WORKER_ID="first")
    second = await another(fleet, first, "second")
    await resize(http, 5)
    up_s = await until_pool(http, first, second, sizes=[2, 3])
    pool = (await http.get("/api/fleet")).json()["pool"]
    assert (pool["target"], pool["actual"]) == (5, 5)
    call = await fleet.start_call()
    async with call.join():
        await call.until(State.ACTIVE)
        await resize(http, 1)
        down_s = await until_pool(http, first, second, sizes=[0, 1])
        assert (await call.look()).status is State.ACTIVE
        await second.stop()
        # Whether or not it is to have a warm process, it is ready.
        third = await another(fleet, first, "second")
        await resize(http, 4)
        await until_pool(http, first, third, sizes=[2, 2])
        # Each of them has POOL_SIZE=1.
        await resize(http, None)
        await until_pool(http, first, third, sizes=[1, 1])
    print(f"\nup: {up_s:.1f} s, down: {down_s:.1f} s")  # noqa: T201 - the promise is 2 s


async def test_a_process_that_is_being_given_a_call_is_not_taken_away(
    fleet: Fleet, http: httpx2.AsyncClient
) -> None:
    """Five calls come while the pool goes up and down as fast as heartbeats come."""
    await fleet.start_worker(WORKER_HEARTBEAT_S="0.05", POOL_SIZE="2")
    for size in (0, 3, 0, 2, 0):
        call = await fleet.start_call()
        await resize(http, size)
        await call.until(State.READY)


async def test_the_last_warm_process_is_ready_again(fleet: Fleet, http: httpx2.AsyncClient) -> None:
    """A pool of none is a choice: it is not ready, but takes calls, slowly."""
    worker = await fleet.start_worker()
    await resize(http, 0)
    await eventually(lambda: _is(worker, (0, 0)), RESIZE_S)
    call = await fleet.start_call()
    await call.until(State.READY)
    await resize(http, 1)
    await eventually(lambda: _is(worker, (1, 1)), RESIZE_S)
    await eventually(lambda: worker.answers("/readyz", 200), READY_S)
    await eventually(lambda: _is(worker, (1, 1)), CALL_S)


async def _is(worker: WorkerProcess, expected: tuple[int, int]) -> bool:
    return await described(worker) == expected
