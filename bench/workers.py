"""A worker of whatever kind, as a process of its own: ours, or a plain one to compare with."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from bench.servers import running
from devstack.services.ports import LOOPBACK, free_port
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.service import Service
from devstack.settings import REPO
from tests.support.plain import NO_TLS

OURS = ("worker",)
#: What both kinds log when LiveKit has answered that it knows them.
REGISTERED = "registered worker"
#: What both kinds log of each warm process.
WARM = "process initialized"
_READY_S = 120.0
_LOOK_EVERY_S = 0.02


@asynccontextmanager
async def working(
    module: tuple[str, ...], variables: Mapping[str, str], *, agent_name: str, log: Path
) -> AsyncIterator[str]:
    """Run `python -m module`, which takes jobs for this name, until the block is left.

    It is running once LiveKit knows it; warm processes may still be on their way. Yields the URL of
    its health endpoint.
    """

    def describe() -> Sequence[Service]:
        port = free_port()
        # Plain ones are told to start.
        path = "/" if "start" in module else "/healthz"
        url = f"http://{LOOPBACK}:{port}"
        names = dict.fromkeys(("AGENT_NAME", "LIVEKIT_AGENT_NAME"), agent_name)
        command = Command(
            name="worker",
            argv=(sys.executable, "-m", *module),
            env={**variables, "WORKER_PORT": str(port), **names},
            log=log,
            cwd=REPO,
        )
        ready = http_ok(url + path)
        return [Service(command=command, url=url, ready=ready, ready_within_s=_READY_S)]

    async with running(describe) as stack:
        await until_logged(log, REGISTERED, 1)
        yield stack.services[0].url


async def until_warm(module: tuple[str, ...], url: str, log: Path, count: int) -> None:
    """Wait until a worker has something warm for so many calls. Raises TimeoutError.

    Ours says so at its health endpoint; a plain one logs each process, of which each takes a call.
    """
    if module != OURS:
        await until_logged(log, WARM, count)
        return
    ends_at = time.monotonic() + _READY_S
    async with httpx2.AsyncClient(base_url=url, verify=NO_TLS) as http:
        while (await http.get("/worker")).raise_for_status().json()["idle"] < count:
            if time.monotonic() > ends_at:
                raise TimeoutError(f"the worker has nothing warm for {count} calls")
            await asyncio.sleep(_LOOK_EVERY_S)


async def until_logged(log: Path, text: str, times: int) -> None:
    """Wait until a worker has said something so many times. Raises TimeoutError."""
    ends_at = time.monotonic() + _READY_S
    while (await asyncio.to_thread(log.read_text)).count(text) < times:
        if time.monotonic() > ends_at:
            raise TimeoutError(f"the worker did not say: {text}")
        await asyncio.sleep(_LOOK_EVERY_S)
