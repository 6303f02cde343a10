"""What operators see of the fleet: the line, who is left alone, what to look at, its history."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from sessions.connection import Temper, connect
from sessions.fleet import Beat, Registration
from sessions.ids import SessionId, WorkerId
from sessions.keys import Keys
from sessions.model import AgentProcess
from tests.integration.tokenserver.flow import start, stop
from tests.support.replicas import ADMIN_KEY, Standing, nobody_left, standing_server, store_settings
from tests.support.servers import LiveKitServer, RedisServer

MINUTE_MS = 60_000
AS_ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}
MODEL = "0123456789abcdef" * 2
WORKER = WorkerId("w-1")


@pytest.fixture(scope="module")
def standing(
    redis_server: RedisServer,
    livekit_server: LiveKitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Standing]:
    """One server with one slot. A worker that was told of stays listed while a test runs."""
    logs = tmp_path_factory.mktemp("fleet")
    with standing_server(redis_server, livekit_server, logs, WORKER_LEASE_S="600") as server:
        yield server


@pytest.fixture
async def http(standing: Standing) -> AsyncIterator[httpx2.AsyncClient]:
    async with nobody_left(standing) as client:
        yield client


async def asked(http: httpx2.AsyncClient, path: str, **query: int) -> dict[str, Any]:
    answer = await http.get(path, params=query, headers=AS_ADMIN)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def codes(fleet: dict[str, Any]) -> set[str]:
    return {alert["code"] for alert in fleet["alerts"]}


async def test_the_line_and_its_first_one(http: httpx2.AsyncClient) -> None:
    assert (await asked(http, "/api/fleet"))["queue"] == {"length": 0, "oldestWaitMs": None}
    await start(http)
    waiting = [await start(http, 202) for _ in range(2)]
    queue = (await asked(http, "/api/fleet"))["queue"]
    assert queue["length"] == len(waiting)
    assert queue["oldestWaitMs"] >= 0


async def test_what_somebody_ought_to_look_at(http: httpx2.AsyncClient, standing: Standing) -> None:
    """1. No worker is there. 2. One is, without a warm process. 3. It has some."""
    (alert,) = (await asked(http, "/api/fleet"))["alerts"]
    assert {name: alert[name] for name in ("code", "severity", "value", "limit")} == {
        "code": "no_worker",
        "severity": "critical",
        "value": 0,
        "limit": 1,
    }
    assert "Start one" in alert["message"]
    async with standing.store() as store:
        await store.fleet.register(Registration(id=WORKER, capacity=5, host="h", version="1"))
        try:
            beat = Beat(active=0, idle=0, target=3, load=0.1, spawned=3)
            await store.fleet.renew(WORKER, beat)
            assert codes(await asked(http, "/api/fleet")) == {"pool_empty"}
            await store.fleet.renew(WORKER, replace(beat, idle=3))
            assert (await asked(http, "/api/fleet"))["alerts"] == []
        finally:
            await store.fleet.leave(WORKER)


async def test_how_many_workers_are_wanted(http: httpx2.AsyncClient, standing: Standing) -> None:
    """1. Nobody is there. 2. A worker is, one session has the only slot, and two wait.

    Result: one is wanted, as more would find no slot. The metric says the same.
    """
    alone = (await asked(http, "/api/fleet"))["scaling"]
    assert (alone["desired"], alone["current"], alone["placesPerWorker"]) == (1, 0, 50)
    async with standing.store() as store:
        await store.fleet.register(Registration(id=WORKER, capacity=5, host="h", version="1"))
        try:
            await start(http)
            for _ in range(2):
                await start(http, 202)
            fleet = await asked(http, "/api/fleet")
            scaling = fleet["scaling"]
            assert scaling == {
                "desired": 1,
                "current": 1,
                "reason": "max_sessions",
                "calls": 1,
                "waiting": 2,
                "reserve": 0,
                "places": 5,
                "placesPerWorker": 5,
            }
            assert [one["surplus"] for one in fleet["workers"]] == [False]
            await store.fleet.drain_surplus(WORKER)
            fleet = await asked(http, "/api/fleet")
            assert fleet["scaling"]["current"] == 0
            assert [one["surplus"] for one in fleet["workers"]] == [True]
            page = await http.get("/metrics", headers=AS_ADMIN)
            assert "voicefleet_workers_desired 1.0" in page.text.splitlines()
        finally:
            await store.fleet.leave(WORKER)


async def test_providers_that_are_down_are_told(
    http: httpx2.AsyncClient, standing: Standing
) -> None:
    """As workers write it (tests/integration/worker/test_outages.py)."""
    settings = store_settings(standing.env)
    keys = Keys(settings.redis_prefix)
    async with aclosing(connect(settings, Temper.PATIENT)) as redis:
        await redis.hset(keys.outages, MODEL, "1764000000000 llm api.example.com/some-model")
        await redis.set(keys.outage(MODEL), 2, px=60_000)
        try:
            fleet = await asked(http, "/api/fleet")
            assert fleet["circuits"] == {
                "redis": "closed",
                "livekit": "closed",
                "providers": [
                    {
                        "name": "llm api.example.com/some-model",
                        "since": 1_764_000_000_000,
                        "until": None,
                    }
                ],
            }
            assert "provider_down" in codes(fleet)
        finally:
            await redis.delete(keys.outages, keys.outage(MODEL))
    assert (await asked(http, "/api/fleet"))["circuits"]["providers"] == []


async def test_the_target_of_the_pool_is_set_and_taken_away(http: httpx2.AsyncClient) -> None:
    """Null is said, not left out: an empty body is a mistake, and changes nothing."""

    async def resize(body: dict[str, Any]) -> httpx2.Response:
        return await http.post("/api/pool/resize", json=body, headers=AS_ADMIN)

    for size in (4, 0, None, None):
        resized = await resize({"size": size})
        assert (resized.status_code, resized.json()["pool"]["target"]) == (200, size)
        assert (await asked(http, "/api/fleet"))["pool"]["target"] == size
    await resize({"size": 3})
    for wrong in ({}, {"size": "4"}, {"size": -1}, {"size": 10_001}, {"size": None, "target": 1}):
        assert (await resize(wrong)).status_code == 400, wrong
    assert (await resize({"size": None})).json()["pool"]["target"] is None


async def test_what_is_left_of_the_error_budget(
    http: httpx2.AsyncClient, standing: Standing
) -> None:
    """A session fails. Others of this module may have, too, or got their agent."""
    before = (await asked(http, "/api/fleet"))["errorBudget"]
    session = await start(http)
    async with standing.store() as store:
        await store.fail(SessionId(session["sessionId"]), "x")
        await store.mark_closed(SessionId(session["sessionId"]))
    after = (await asked(http, "/api/fleet"))["errorBudget"]
    assert after["bad"] == before["bad"] + 1
    assert {name: after[name] for name in ("objective", "windowDays", "good")} == {
        "objective": 0.99,
        "windowDays": 30,
        "good": before["good"],
    }
    share = after["bad"] / (after["good"] + after["bad"])
    assert after["remaining"] == pytest.approx(1 - share / 0.01, abs=1e-3)
    assert after["burnRate"] == pytest.approx(share / 0.01, abs=0.1)


async def test_what_happened_is_told_minute_by_minute(
    http: httpx2.AsyncClient, standing: Standing
) -> None:
    """One session gets its agent and ends, one fails. Others of this module may be there, too."""
    before = await asked(http, "/api/fleet/history", minutes=120)
    session = await start(http)
    async with standing.store() as store:
        session_id = SessionId(session["sessionId"])
        process = AgentProcess(worker_id=WORKER, pid=1, job_id="AJ_1", prewarmed=True)
        await store.claim(session_id, 1, process)
        await store.mark_ready(session_id, 1)
        await stop(http, session)
        failing = await start(http)
        await store.fail(SessionId(failing["sessionId"]), "x")
    after = await asked(http, "/api/fleet/history", minutes=120)

    def grown(name: str) -> int:
        was, is_now = (
            sum(int(point[name]) for point in history["points"]) for history in (before, after)
        )
        return is_now - was

    assert {name: grown(name) for name in ("admitted", "ready", "ended", "failed", "expired")} == {
        "admitted": 2,
        "ready": 1,
        "ended": 1,
        "failed": 1,
        "expired": 0,
    }
    latency = after["latency"]
    assert latency["edgesMs"] == [250, 500, 1000, 2000, 5000, 10_000]
    assert sum(latency["counts"]) - sum(before["latency"]["counts"]) == 1
    assert 0 < after["successRate"] < 1


@pytest.mark.parametrize("minutes", [1, 2, 60, 120])
async def test_minutes_without_events_are_there(http: httpx2.AsyncClient, minutes: int) -> None:
    """Sixty when nobody says how many; the last one is this one."""
    query = {} if minutes == 60 else {"minutes": minutes}
    history = await asked(http, "/api/fleet/history", **query)
    times = [point["at"] for point in history["points"]]
    assert times == list(range(times[0], times[0] + minutes * MINUTE_MS, MINUTE_MS))
    assert times[0] % MINUTE_MS == 0
    assert all(set(point) == set(history["points"][0]) for point in history["points"])


@pytest.mark.parametrize("query", ["minutes=0", "minutes=121", "minutes=x", "hours=1"])
async def test_what_is_not_kept_is_refused(http: httpx2.AsyncClient, query: str) -> None:
    answer = await http.get(f"/api/fleet/history?{query}", headers=AS_ADMIN)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


async def test_history_is_for_operators(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/api/fleet/history")).status_code == 401
