"""A fleet on one machine: livekit-servers joined by a Redis, and a worker at each of them."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import psutil  # type: ignore[import-untyped]
from redis.asyncio import Redis

from bench.race.guest import Guest
from bench.race.processes import cpu_s, pss_mb
from bench.race.scene import Racer, Scene, racecourses
from bench.race.sides import Side
from bench.throughput import redis_cpu_s
from tests.support.plain import NO_TLS

_FIGURE = re.compile(r"^livekit_(packet_total|packet_bytes|room_total)(\{.*?\})? (\S+)$", re.M)
_HTTP_WITHIN_S = 10.0
_BYTES_PER_MB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What has been used up to a moment of `time.monotonic`: CPU seconds, calls, packets."""

    at: float
    workers_s: Sequence[float]
    nodes_s: Sequence[float]
    redis_s: float
    #: Of the store's script; several verbs may travel in one.
    redis_calls: float
    packets: float
    media_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How it is at a moment."""

    #: PSS: what the processes of a worker share is counted once.
    workers_mb: Sequence[float]
    #: RSS.
    nodes_mb: Sequence[float]
    redis_mb: float
    redis_clients: int
    #: As each worker tells the fleet, and as each node tells.
    by_worker: Sequence[int]
    by_node: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """One scene and one worker at each node; the workers share the calls."""

    scenes: Sequence[Scene]
    racers: Sequence[Racer]
    redis: Redis

    async def guest(self, number: int) -> Guest:
        """Return a user who is still to come.

        Every other one joins by the first node; the rooms of half of each are made by the other.
        """
        count = len(self.scenes)
        racer, door = self.racers[number // count % count], self.scenes[number % count]
        return Guest(racer.scene, await racer.prepare(), joins_by=door)

    async def counts(self) -> Counts:
        """Read what has been used so far."""
        workers_s = [await asyncio.to_thread(cpu_s, one.pid) for one in self.racers]
        pids = [one.neighbours.pids["livekit"] for one in self.scenes]
        nodes_s = [cpu_s(pid) for pid in pids]
        redis_s, at = await redis_cpu_s(self.redis), time.monotonic()
        told = [await _figures(one.neighbours.metrics_url) for one in self.scenes]
        commands = await self.redis.info("commandstats")
        return Counts(
            at=at,
            workers_s=workers_s,
            nodes_s=nodes_s,
            redis_s=redis_s,
            redis_calls=float(commands.get("cmdstat_evalsha", {}).get("calls", 0)),
            packets=sum(one.get("packet_total", 0.0) for one in told),
            media_bytes=sum(one.get("packet_bytes", 0.0) for one in told),
        )

    async def state(self) -> State:
        """Look at memory, and at who has the sessions."""
        scene = self.scenes[0]
        workers = {str(one.id): one.active for one in await scene.neighbours.store.fleet.workers()}
        told = [await _figures(one.neighbours.metrics_url) for one in self.scenes]
        used = int((await self.redis.info("memory"))["used_memory"])
        return State(
            workers_mb=[await asyncio.to_thread(pss_mb, one.pid) for one in self.racers],
            nodes_mb=[_rss_mb(one.neighbours.pids["livekit"]) for one in self.scenes],
            redis_mb=used / _BYTES_PER_MB,
            redis_clients=int((await self.redis.info("clients"))["connected_clients"]),
            by_worker=[workers.get(_worker_id(place), 0) for place in range(len(self.racers))],
            by_node=[round(one.get("room_total", 0.0)) for one in told],
        )


@asynccontextmanager
async def running_fleet(
    env: Mapping[str, str], folder: Path, side: Side, *, nodes: int
) -> AsyncIterator[Fleet]:
    """Run it until the block is left; it begins once the workers are warm and at rest.

    Raises ToolMissing, and TimeoutError where a worker does not come to rest.
    """
    name = f"capacity-{secrets.token_hex(4)}"
    async with racecourses(env, folder, nodes=nodes) as scenes, AsyncExitStack() as stack:
        redis = Redis.from_url(scenes[0].neighbours.variables["REDIS_URL"], decode_responses=True)
        stack.push_async_callback(redis.aclose)
        racers = []
        for place, scene in enumerate(scenes):
            own = {**side.variables, "WORKER_ID": _worker_id(place)}
            racing = scene.racing(replace(side, variables=own), agent_name=name)
            racers.append(await stack.enter_async_context(racing))
        for racer in racers:
            await racer.until_settled()
        yield Fleet(scenes=scenes, racers=racers, redis=redis)


def _rss_mb(pid: int) -> float:
    """Return the memory of a program of one process, what it shares with others included.

    On machines of their own, nodes share nothing.
    """
    return float(psutil.Process(pid).memory_info().rss) / _BYTES_PER_MB


def _worker_id(place: int) -> str:
    return f"worker-{place + 1}"


async def _figures(url: str) -> dict[str, float]:
    """Return what a node tells, summed over what it tells apart (both directions of media)."""
    async with httpx2.AsyncClient(timeout=_HTTP_WITHIN_S, verify=NO_TLS) as http:
        text = (await http.get(url)).text
    found: dict[str, float] = {}
    for name, _, value in _FIGURE.findall(text):
        found[name] = found.get(name, 0.0) + float(value)
    return found
