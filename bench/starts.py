"""Measures `POST /api/session/start`: `python -m bench.starts --help`.

It starts its own Redis, livekit-server and token server, and is a crowd of users itself. No worker
runs: a start does not wait for one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]

from bench.api_server import running_api
from bench.progress import Progress
from bench.report import parser_of, report
from bench.table import Aim, Row, Table
from bench.wire import Connection, read
from devstack.services.stack import Stack
from devstack.terminal import Terminal

_AIM = Aim(limit=50)
_STARTERS = 20


@dataclass(slots=True)
class Crowd:
    """Users with one connection each, and how long their starts took, in ms."""

    connections: Sequence[Connection]
    took_ms: list[float] = field(default_factory=list)
    server_ms: list[float] = field(default_factory=list)
    started: list[Mapping[str, str]] = field(default_factory=list)

    async def start(self, user: int = 0) -> None:
        """Let a user start a session, and note how long the answer took."""
        began = time.perf_counter()
        status, body = await self.connections[user].post("/api/session/start", {})
        took_ms = (time.perf_counter() - began) * 1000
        value = read(status, body, HTTPStatus.CREATED)
        self.took_ms.append(took_ms)
        self.server_ms.append(value["latencyMs"])
        self.started.append(value)

    async def leave(self) -> None:
        """Stop all sessions, so that rooms do not pile up."""
        for session in self.started:
            body = {name: session[name] for name in ("sessionId", "sessionSecret")}
            read(*await self.connections[0].post("/api/session/stop", body), HTTPStatus.OK)
        self.started.clear()


async def one_after_the_other(crowd: Crowd, count: int) -> None:
    """One user starts a session, and when that is answered another."""
    for _ in range(count):
        await crowd.start()


async def each_once_a_second(crowd: Crowd, count: int) -> None:
    """20 users start a session about once a second each, whenever they like."""

    async def starter(user: int) -> None:
        await asyncio.sleep(random.uniform(0, 1))  # noqa: S311 - no secret
        for _ in range(count // _STARTERS):
            began = time.monotonic()
            await crowd.start(user)
            pause_s = random.uniform(0.5, 1.5)  # noqa: S311
            await asyncio.sleep(max(0.0, pause_s - (time.monotonic() - began)))

    await asyncio.gather(*(starter(user) for user in range(_STARTERS)))


async def all_at_once(crowd: Crowd, count: int) -> None:
    """20 users start a session at the same moment, and again when all are answered."""
    for _ in range(count // _STARTERS):
        await asyncio.gather(*(crowd.start(user) for user in range(_STARTERS)))
        await crowd.leave()


_LOADS: Mapping[str, Callable[[Crowd, int], Awaitable[None]]] = {
    "one after the other": one_after_the_other,
    "20 users, each once a second": each_once_a_second,
    "20 users at the same moment": all_at_once,
}


async def measure(stack: Stack, count: int, progress: Progress) -> Table:
    """Put each load on the server in turn."""
    rows, costs = [], []
    url = stack.services[-1].url
    async with _connections(url) as connections:
        await all_at_once(Crowd(connections), _STARTERS)  # everything that is lazy
    for name, load in _LOADS.items():
        progress.tell(name)
        # New ones each time: the server closes what is idle for a few seconds.
        async with _connections(url) as connections:
            crowd = Crowd(connections)
            before = _cpu_ms(stack)
            await load(crowd, count)
            after = _cpu_ms(stack)
            if crowd.started:  # else what it took to leave is in there
                costs.append({part: (after[part] - before[part]) / count for part in after})
            await crowd.leave()
        rows.append(_row(name, crowd))
    return Table(
        part="starts",
        question="ms from the request to the answer, room and dispatch included",
        subject="load",
        rows=rows,
        notes=(
            f"{count} starts of each; the crowd runs on the same cores as the servers",
            "server: as the server measures itself (`latencyMs`)",
            "CPU of a start, one after the other: "
            + ", ".join(f"{part} {spent:.1f} ms" for part, spent in costs[0].items()),
        ),
    )


@asynccontextmanager
async def _connections(url: str) -> AsyncIterator[Sequence[Connection]]:
    address = urlsplit(url)
    opening = (Connection.open(address.hostname or "", address.port or 0) for _ in range(_STARTERS))
    connections = await asyncio.gather(*opening)
    try:
        yield connections
    finally:
        await asyncio.gather(*(connection.close() for connection in connections))


def _cpu_ms(stack: Stack) -> dict[str, float]:
    """Return how much of the cores each process of the stack has used so far, and the crowd."""
    processes = {**stack.pids, "the crowd": os.getpid()}
    times = {part: psutil.Process(pid).cpu_times() for part, pid in processes.items()}
    return {part: (spent.user + spent.system) * 1000 for part, spent in times.items()}


def _row(name: str, crowd: Crowd) -> Row:
    took = statistics.quantiles(crowd.took_ms, n=100, method="inclusive")
    server = statistics.quantiles(crowd.server_ms, n=100, method="inclusive")
    return Row(
        name=name,
        figures={
            "p50": round(took[49], 1),
            "p90": round(took[89], 1),
            "p95": round(took[94], 1),
            "p99": round(took[98], 1),
            "p50 server": round(server[49], 1),
            "p99 server": round(server[98], 1),
        },
        aim=_AIM,
        judged="p99",
    )


def _count(text: str) -> int:
    if not text.isdecimal() or not _STARTERS <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text} is no number from {_STARTERS} to 100,000")
    return int(text)


async def _run(count: int, env: Mapping[str, str]) -> list[Table]:
    with tempfile.TemporaryDirectory(prefix="bench-starts-") as folder:
        async with running_api(env, Path(folder)) as stack:
            progress = Progress("starts", Terminal(env, sys.stderr))
            table = await measure(stack, count, progress)
            progress.done()
            return [table]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0 when it ran through, whatever it found."""
    parser = parser_of("starts", __doc__)
    parser.add_argument(
        "--starts", type=_count, default=400, metavar="N", help="of each load (400)"
    )
    options = parser.parse_args(argv)
    return report(partial(_run, options.starts), options.json)


if __name__ == "__main__":
    sys.exit(main())
