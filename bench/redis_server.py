"""A Redis of the benchmark's own: on a free port, gone with the benchmark however that ends."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from redis.asyncio import Redis

from bench.servers import running
from devstack.services.ports import free_port
from devstack.services.servers import redis_service
from devstack.services.service import Service
from sessions.connection import Temper, connect
from sessions.settings import StoreSettings

#: Without batches each caller needs one; the client library's default is 100.
_CONNECTIONS = 1_000
#: Memory is read when it has been the same for so long: tables grow and shrink on the side.
_STILL_S = 0.5
_STILL_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running Redis, empty at first."""

    url: str

    def settings(self, **limits: Any) -> StoreSettings:  # noqa: ANN401 - its fields are of all types
        """Return settings of a store on it. Nothing of the environment takes part."""
        return StoreSettings.model_construct(redis_url=SecretStr(self.url), **limits)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Redis]:
        """Connect as the services do."""
        client = connect(self.settings(), Temper.PATIENT)
        if not isinstance(client, Redis):
            raise TypeError(f"{self.url} is no single server")
        try:
            yield client
        finally:
            await client.aclose()

    async def info(self, section: str) -> Mapping[str, Any]:
        """Return a section of INFO."""
        async with self.client() as client:
            answer: Mapping[str, Any] = await client.info(section)
            return answer

    async def stop_own_statistics(self) -> None:
        """Keep Redis 7 from a histogram for each command it sees, which would look like ours."""
        async with self.client() as client:
            if await client.config_get("latency-tracking"):
                await client.config_set("latency-tracking", "no")

    async def used_memory(self) -> int:
        """Return the bytes in use once they stay the same; connect nobody else meanwhile."""
        last, since = -1, 0.0
        clock = asyncio.get_running_loop().time
        deadline = clock() + _STILL_WITHIN_S
        async with self.client() as client:
            while clock() < deadline:
                used = int((await client.info("memory"))["used_memory"])
                if used != last:
                    last, since = used, clock()
                elif clock() - since >= _STILL_S:
                    break
                await asyncio.sleep(0.1)
        return last


@asynccontextmanager
async def running_redis(
    program: Path, env: Mapping[str, str], *, is_durable: bool
) -> AsyncIterator[Server]:
    """Run a Redis until the block is left. A durable one has an fsync a second, as by default."""
    with tempfile.TemporaryDirectory(prefix="bench-redis-") as folder:

        def describe() -> Sequence[Service]:
            port, run_dir = free_port(), Path(folder)
            return [
                redis_service(program, port=port, run_dir=run_dir, env=env, is_durable=is_durable)
            ]

        async with running(describe) as stack:
            yield Server(url=f"{stack.services[0].url}?max_connections={_CONNECTIONS}")
