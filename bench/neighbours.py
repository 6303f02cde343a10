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
        first = chosen[0]
        return [
            redis_service(redis, port=first.redis, run_dir=folder, env=env, is_durable=False),
            *(
                _node(
                    livekit,
                    number,
                    ports=ports,
                    keys=keys,
                    folder=folder,
                    env=env,
                    webhook_url=webhook_url or f"http://{LOOPBACK}:{first.tokenserver}/",
                    redis_port=first.redis if count else None,
                )
                for number, ports in enumerate(chosen)
            ),
        ]

    async with running(describe) as stack, AsyncExitStack() as clients:
        redis_url = f"redis://{LOOPBACK}:{chosen[0].redis}/0"
        settings = StoreSettings(redis_url=SecretStr(redis_url), max_sessions=10_000)
        client = connect(settings, Temper.PATIENT)
        clients.push_async_callback(client.aclose)
        store, nodes = SessionStore(client, settings), list[Neighbours]()
        key, secret = keys.livekit_api_key, keys.livekit_api_secret
        for number, ports in enumerate(chosen):
            url = f"http://{LOOPBACK}:{ports.livekit}"
            variables = {
                **env,
                "REDIS_URL": redis_url,
                "LIVEKIT_URL": f"ws://{LOOPBACK}:{ports.livekit}",
                "LIVEKIT_API_KEY": key,
                "LIVEKIT_API_SECRET": secret,
            }
            one = Neighbours(
                variables=variables,
                livekit=await clients.enter_async_context(api.LiveKitAPI(url, key, secret)),
                store=store,
                pids={"redis": stack.pids["redis"], "livekit": stack.pids[_name(number)]},
                metrics_url=f"http://{LOOPBACK}:{_figures_port(ports)}/metrics" if count else "",
            )
            nodes.append(one)
        yield nodes


def _name(number: int) -> str:
    return f"livekit-{number + 1}" if number else "livekit"


def _figures_port(ports: Ports) -> int:
    """Return a port that is free, since nothing of its name runs here."""
    return ports.localvoice


def _node(
    program: Path,
    number: int,
    *,
    ports: Ports,
    keys: Keys,
    folder: Path,
    env: Mapping[str, str],
    webhook_url: str,
    redis_port: int | None,
) -> Service:
    """Describe one livekit-server; those with a Redis find each other there."""
    run_dir = folder / _name(number) if number else folder
    run_dir.mkdir(exist_ok=True)
    joined = {
        "redis": {"address": f"{LOOPBACK}:{redis_port}"},
        "prometheus": {"port": _figures_port(ports)},
    }
    service = livekit_service(
        program,
        ports=ports,
        keys=keys,
        run_dir=run_dir,
        env=env,
        webhook_url=webhook_url,
        sections=joined if redis_port else None,
    )
    return replace(service, command=replace(service.command, name=_name(number)))
