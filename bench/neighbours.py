"""A Redis and a livekit-server of the benchmark's own, for workers that it tries out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from livekit import api
from pydantic import SecretStr

from bench.servers import find_program, running
from devstack.install.tools import LIVEKIT, REDIS
from devstack.services.keys import Keys
from devstack.services.ports import LOOPBACK, Ports, random_ports
from devstack.services.servers import livekit_service, redis_service
from devstack.services.service import Service
from sessions.connection import Temper, connect
from sessions.settings import StoreSettings
from sessions.store import SessionStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Where Redis and LiveKit are, for workers and for the crowd."""

    variables: Mapping[str, str]
    livekit: api.LiveKitAPI
    store: SessionStore
    #: Of `redis` and `livekit`.
    pids: Mapping[str, int]


@asynccontextmanager
async def running_neighbours(
    env: Mapping[str, str], folder: Path, *, webhook_url: str | None = None
) -> AsyncIterator[Neighbours]:
    """Run both until the block is left; LiveKit tells one URL, or nobody. Raises ToolMissing."""
    redis, livekit = find_program(REDIS, env), find_program(LIVEKIT, env)
    keys, chosen = Keys.generate(), list[Ports]()

    def describe() -> Sequence[Service]:
        ports = random_ports()
        chosen.append(ports)
        hook = webhook_url or f"http://{LOOPBACK}:{ports.tokenserver}/"
        return [
            redis_service(redis, port=ports.redis, run_dir=folder, env=env, is_durable=False),
            livekit_service(
                livekit, ports=ports, keys=keys, run_dir=folder, env=env, webhook_url=hook
            ),
        ]

    async with running(describe) as stack:
        ports = chosen[-1]
        redis_url = f"redis://{LOOPBACK}:{ports.redis}/0"
        key, secret = keys.livekit_api_key, keys.livekit_api_secret
        settings = StoreSettings(redis_url=SecretStr(redis_url), max_sessions=10_000)
        client = connect(settings, Temper.PATIENT)
        try:
            async with api.LiveKitAPI(f"http://{LOOPBACK}:{ports.livekit}", key, secret) as lk:
                variables = {
                    **env,
                    "REDIS_URL": redis_url,
                    "LIVEKIT_URL": f"ws://{LOOPBACK}:{ports.livekit}",
                    "LIVEKIT_API_KEY": key,
                    "LIVEKIT_API_SECRET": secret,
                }
                store = SessionStore(client, settings)
                yield Neighbours(variables=variables, livekit=lk, store=store, pids=stack.pids)
        finally:
            await client.aclose()
