"""A token server beside the workers of a test, where LiveKit sends its webhooks."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from devstack.services.ports import LOOPBACK
from devstack.settings import REPO
from tests.integration.worker.fleet import READY_S, Fleet
from tests.support.plain import NO_TLS
from tests.support.wait import eventually

_EXIT_S = 20.0


@asynccontextmanager
async def serving_api(
    fleet: Fleet, log: Path, variables: dict[str, str]
) -> AsyncIterator[httpx2.AsyncClient]:
    """Run one whose sessions go to the worker that was started last; yield a client for it."""
    port = fleet.server.webhook_port
    known = {
        "TOKENSERVER_PORT": str(port),
        "AGENT_NAME": fleet.agent_name,
        "SHUTDOWN_DELAY_S": "0",
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tokenserver"),
            cwd=REPO,
            env=fleet.environment | known | variables,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
        )
    try:
        async with httpx2.AsyncClient(
            base_url=f"http://{LOOPBACK}:{port}", timeout=20, verify=NO_TLS
        ) as http:

            async def is_ready() -> bool:
                assert process.returncode is None, _read(log)
                try:
                    return (await http.get("/readyz")).status_code == 200
                except httpx2.TransportError:
                    return False

            await eventually(is_ready, READY_S)
            yield http
    finally:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _EXIT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise


def _read(log: Path) -> str:
    return log.read_text()
