"""A Redis and livekit-servers of the benchmark's own, for workers that it tries out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
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
    #: Where this livekit-server tells its figures; nothing where it does not.
    metrics_url: str = ""


@asynccontextmanager
async def running_neighbours(
    env: Mapping[str, str], folder: Path, *, webhook_url: str | None = None
) -> AsyncIterator[Neighbours]:
    """Run both until the block is left; LiveKit tells one URL, or nobody. Raises ToolMissing."""
    async with _running(env, folder, count=0, webhook_url=webhook_url) as (alone,):
        yield alone


@asynccontextmanager
async def running_nodes(
    env: Mapping[str, str], folder: Path, *, count: int, webhook_url: str
) -> AsyncIterator[list[Neighbours]]:
    """Run so many livekit-servers that are one, joined by the Redis of the store, with figures.

    Until the block is left. All tell one URL. Raises ToolMissing.
    """
    async with _running(env, folder, count=count, webhook_url=webhook_url) as nodes:
        yield nodes


@asynccontextmanager
async def _running(
    env: Mapping[str, str], folder: Path, *, count: int, webhook_url: str | None
) -> AsyncIterator[list[Neighbours]]:
    """Run a Redis and so many nodes; with 0 a server that stands alone."""
    redis, livekit = find_program(REDIS, env), find_program(LIVEKIT, env)
    keys, chosen = Keys.generate(), list[Ports]()

    def describe() -> Sequence[Service]:
        chosen[:] = [random_ports() for _ in range(max(1, count))]
        port = chosen[0].redis
        hook = webhook_url or f"http://{LOOPBACK}:{chosen[0].tokenserver}/"
        nodes = [
            livekit_service(
                livekit,
                ports=ports,
                keys=keys,
                run_dir=_run_dir(folder, number),
                env=env,
                webhook_url=hook,
                sections=_joined(port, ports) if count else None,
            )
            for number, ports in enumerate(chosen)
        ]
        return [
            redis_service(redis, port=port, run_dir=folder, env=env, is_durable=False),
            *(
                replace(one, command=replace(one.command, name=_name(number)))
                for number, one in enumerate(nodes)
            ),
        ]

    async with (
        running(describe) as stack,
        _connected(env, chosen, keys, stack.pids, has_figures=count > 0) as neighbours,
    ):
        yield neighbours


@asynccontextmanager
async def _connected(
    env: Mapping[str, str],
    chosen: Sequence[Ports],
    keys: Keys,
    pids: Mapping[str, int],
    *,
    has_figures: bool,
) -> AsyncIterator[list[Neighbours]]:
    """Connect to what runs on these ports."""
    redis_url = f"redis://{LOOPBACK}:{chosen[0].redis}/0"
    settings = StoreSettings(redis_url=SecretStr(redis_url), max_sessions=10_000)
    client = connect(settings, Temper.PATIENT)
    key, secret = keys.livekit_api_key, keys.livekit_api_secret
    async with AsyncExitStack() as clients:
        clients.push_async_callback(client.aclose)
        store, nodes = SessionStore(client, settings), list[Neighbours]()
        for number, ports in enumerate(chosen):
            where = f"{LOOPBACK}:{ports.livekit}"
            livekit = api.LiveKitAPI(f"http://{where}", key, secret)
            variables = {
                **env,
                "REDIS_URL": redis_url,
                "LIVEKIT_URL": f"ws://{where}",
                "LIVEKIT_API_KEY": key,
                "LIVEKIT_API_SECRET": secret,
            }
            one = Neighbours(
                variables=variables,
                livekit=await clients.enter_async_context(livekit),
                store=store,
                pids={"redis": pids["redis"], "livekit": pids[_name(number)]},
                metrics_url=_metrics_url(ports) if has_figures else "",
            )
            nodes.append(one)
        yield nodes


def _name(number: int) -> str:
    return f"livekit-{number + 1}" if number else "livekit"


def _run_dir(folder: Path, number: int) -> Path:
    """Return the folder of a node; the first one shares that of Redis."""
    run_dir = folder / _name(number) if number else folder
    run_dir.mkdir(exist_ok=True)
    return run_dir


def _joined(redis_port: int, ports: Ports) -> Mapping[str, object]:
    """Return what a node is to be told to find the others, and to tell its figures."""
    return {
        "redis": {"address": f"{LOOPBACK}:{redis_port}"},
        "prometheus": {"port": _figures_port(ports)},
    }


def _metrics_url(ports: Ports) -> str:
    return f"http://{LOOPBACK}:{_figures_port(ports)}/metrics"


def _figures_port(ports: Ports) -> int:
    """Return a port that is free, since nothing of its name runs here."""
    return ports.localvoice
