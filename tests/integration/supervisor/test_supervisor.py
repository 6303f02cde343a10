"""Of several supervisors one works; when it stops or dies another one goes on."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from devstack.settings import REPO
from rooms.client import Rooms
from rooms.settings import RoomSettings
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from supervisor.changes import ChangeFeed
from supervisor.settings import SupervisorSettings
from supervisor.supervisor import Supervisor
from telemetry.metrics import SupervisorMetrics
from tests.integration.sessions.conftest import agent, newcomer
from tests.integration.supervisor.conftest import Media, line_up, running_loops
from tests.support.servers import LiveKitServer, RedisServer, neutral_environment
from tests.support.wait import eventually

EXIT_S = 30.0


@pytest.fixture
def supervision(settings: StoreSettings, room_settings: RoomSettings) -> SupervisorSettings:
    known = {**settings.model_dump(), **room_settings.model_dump(), "leader_lease_s": 1.0}
    return SupervisorSettings.model_validate(known)


class Candidate:
    """A supervisor in this process, and what it counts."""

    def __init__(self, settings: SupervisorSettings, store: SessionStore, rooms: Rooms) -> None:
        self.registry = CollectorRegistry()
        feed = ChangeFeed(store)
        metrics = SupervisorMetrics(self.registry)
        self._supervisor = Supervisor(settings, store, rooms, feed, metrics)
        self._feed = feed

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with running_loops(self._feed.run(), self._supervisor.run()):
            yield

    @property
    def leads(self) -> bool:
        return self.count("voicefleet_supervisor_leads") == 1

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


async def test_one_of_two_works_and_the_other_one_takes_over(
    supervision: SupervisorSettings, store: SessionStore, rooms: Rooms, media: Media
) -> None:
    """1. Two supervisors run. 2. The one that leads stops in good order.

    Result: only the leader looks, and tells of it; what comes afterwards is done by the other.
    """
    first, second = (Candidate(supervision, store, rooms) for _ in range(2))

    async def leads(one: Candidate) -> bool:
        return one.leads

    async with second.running():
        async with first.running():

            async def is_one() -> bool:
                return first.leads != second.leads

            await eventually(is_one)
            leader, other = (first, second) if first.leads else (second, first)
            holder, waiting = await line_up(store, 1)
            await store.end(holder.id)
            await eventually(lambda: _is_sent(media, waiting.room))
            passes = "voicefleet_supervisor_pass_duration_seconds_count"
            assert leader.count(passes, loop="leases") > 0
            assert other.count(passes, loop="leases") == 0
            assert other.count(passes, loop="leadership") > 0
            assert leader.count("voicefleet_supervisor_repairs_total", loop="dispatches") == 1
            assert b"voicefleet_supervisor_pass_failures_total" in generate_latest(leader.registry)
        await eventually(lambda: leads(second))
        assert not first.leads
        session = newcomer(user=None)
        await store.end(waiting.id)
        await store.admit(session, may_wait=True)
        await store.claim(session.id, 1, agent())
        await store.lose(session.id, "it died", epoch=1, is_certain=True)
        await eventually(lambda: _is_sent(media, session.room))


async def _is_sent(media: Media, room: str) -> bool:
    return len(await media.epochs_sent(room)) == 1


@pytest.fixture
def environment(
    supervision: SupervisorSettings, redis_server: RedisServer, livekit_server: LiveKitServer
) -> dict[str, str]:
    """What a supervisor in a process of its own is told."""
    return neutral_environment() | {
        "REDIS_URL": redis_server.url,
        "REDIS_PREFIX": supervision.redis_prefix,
        "LIVEKIT_URL": livekit_server.url,
        "LIVEKIT_API_KEY": livekit_server.api_key,
        "LIVEKIT_API_SECRET": livekit_server.api_secret,
        "AGENT_NAME": supervision.agent_name,
        "MAX_SESSIONS": "1",
        "LEADER_LEASE_S": "1",
        "SUPERVISOR_PORT": "0",
    }


async def test_a_supervisor_by_itself(
    environment: dict[str, str], store: SessionStore, media: Media, tmp_path: Path
) -> None:
    """1. `python -m supervisor` runs twice. 2. A session is due. 3. The leader is killed, and a
    session is due. 4. The other one is told to stop.

    Result: both sessions get an agent; the second process ends with 0 and steps down.
    """
    current, *waiting = await line_up(store, 2)
    log = tmp_path / "supervisor.log"
    processes: list[asyncio.subprocess.Process] = []
    try:
        for number, one in enumerate(waiting):
            with log.open("ab") as output:
                processes.append(
                    await asyncio.create_subprocess_exec(
                        *(sys.executable, "-m", "supervisor"),
                        cwd=REPO,
                        env=environment,
                        stdout=output,
                        stderr=output,
                    )
                )
            await store.end(current.id)
            await eventually(lambda room=one.room: _is_sent(media, room), 60)  # type: ignore[misc]
            await store.claim(one.id, 1, agent(f"AJ_{number}"))
            current = one
            if number == 0:
                processes[0].send_signal(signal.SIGKILL)
        processes[1].send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(processes[1].wait(), EXIT_S) == 0
        assert log.read_text().count("leads the supervision") == 2
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def test_a_supervisor_says_what_is_wrong_with_its_settings() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "supervisor"),
        cwd=REPO,
        env=neutral_environment() | {"AGENT_LEASE_S": "1", "LIVEKIT_API_KEY": "key"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await asyncio.wait_for(process.communicate(), EXIT_S)
    assert process.returncode == 2
    assert b"LIVEKIT_API_SECRET" in told
