"""A token server of the benchmark's own, with the Redis and LiveKit it needs."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bench.servers import find_program, running
from devstack.install.tools import LIVEKIT, REDIS
from devstack.services.keys import Keys
from devstack.services.ports import LOOPBACK, Ports, random_ports
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.servers import livekit_service, redis_service
from devstack.services.service import Service
from devstack.services.stack import Stack
from devstack.settings import REPO

#: The crowd has one address, and is no attack.
_NO_LIMIT = "100000"


@asynccontextmanager
async def running_api(
    env: Mapping[str, str],
    folder: Path,
    *,
    settings: Mapping[str, str] | None = None,
    rtc: Mapping[str, object] | None = None,
) -> AsyncIterator[Stack]:
    """Run the three until the block is left, the API last. Raises ToolMissing.

    `settings` of the API count for more than what a benchmark mostly wants; `rtc` is what of that
    section of LiveKit's configuration is to be otherwise.
    """
    redis, livekit = find_program(REDIS, env), find_program(LIVEKIT, env)

    def describe() -> Sequence[Service]:
        ports, own = random_ports(), settings or {}
        return _services(redis, livekit, ports=ports, env=env, folder=folder, settings=own, rtc=rtc)

    async with running(describe) as stack:
        yield stack


def _services(
    redis: Path,
    livekit: Path,
    *,
    ports: Ports,
    env: Mapping[str, str],
    folder: Path,
    settings: Mapping[str, str],
    rtc: Mapping[str, object] | None,
) -> Sequence[Service]:
    keys = Keys.generate()
    url = f"http://{LOOPBACK}:{ports.tokenserver}"
    command = Command(
        name="tokenserver",
        argv=(sys.executable, "-m", "tokenserver"),
        env={**env, **_variables(ports, keys), **settings},
        log=folder / "tokenserver.log",
        cwd=REPO,
    )
    return [
        redis_service(redis, port=ports.redis, run_dir=folder, env=env, is_durable=False),
        livekit_service(
            livekit,
            ports=ports,
            keys=keys,
            run_dir=folder,
            env=env,
            webhook_url=f"{url}/livekit/webhook",
            rtc=rtc,
        ),
        Service(command=command, url=url, ready=http_ok(f"{url}/readyz")),
    ]


def _variables(ports: Ports, keys: Keys) -> dict[str, str]:
    """Return what the API is told: where all is, and limits that no crowd reaches."""
    return {
        "TOKENSERVER_PORT": str(ports.tokenserver),
        "REDIS_URL": f"redis://{LOOPBACK}:{ports.redis}/0",
        "LIVEKIT_URL": f"ws://{LOOPBACK}:{ports.livekit}",
        "LIVEKIT_API_KEY": keys.livekit_api_key,
        "LIVEKIT_API_SECRET": keys.livekit_api_secret,
        "MAX_SESSIONS": "10000",
        # As many are warm as the workers' settings say, whoever came before.
        "POOL_TUNING": "false",
        "START_LIMIT_PER_MINUTE": _NO_LIMIT,
        "ALL_STARTS_PER_MINUTE": _NO_LIMIT,
        "READ_LIMIT_PER_MINUTE": _NO_LIMIT,
        "START_LEASE_S": "600",
        "CLAIM_DEADLINE_S": "60",
        "SHUTDOWN_DELAY_S": "0",
    }
