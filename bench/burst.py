"""Measures how many callers a worker takes that come at once: `python -m bench.burst --help`.

It starts its own Redis and livekit-server, and in turn a worker as LiveKit's starter has one and
ours. LiveKit offers each job once: a caller whom no worker takes hears nothing, for ever.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from livekit import api
from pydantic import SecretStr

from bench.progress import Progress
from bench.servers import find_program, running
from bench.table import Aim, Row, Table
from devstack.errors import DevstackError
from devstack.install.tools import LIVEKIT, REDIS
from devstack.services.keys import Keys
from devstack.services.ports import LOOPBACK, Ports, free_port, random_ports
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.servers import livekit_service, redis_service
from devstack.services.service import Service
from devstack.settings import REPO, load_environment
from devstack.terminal import Terminal
from sessions.assignment import Assignment
from sessions.connection import Temper, connect
from sessions.ids import SessionId, new_identity, new_session_id, room_name
from sessions.model import Newcomer
from sessions.settings import StoreSettings
from sessions.store import SessionStore

_READY_S = 120.0
#: A room that has no agent by then will never have one.
_PATIENCE_S = 15.0
_LOOK_EVERY_S = 0.02
#: As many as bench/plain_worker.py has.
_PLAIN_WARM = 3
#: What both kinds log when LiveKit has answered that it knows them.
_REGISTERED = "registered worker"
_WARM = "process initialized"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A worker to be tried out."""

    name: str
    module: tuple[str, ...]
    variables: Mapping[str, str]
    #: None: the callers come as soon as LiveKit knows it.
    waits_for_warm: int | None
    must_take: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Where Redis and LiveKit are, for workers and for the crowd."""

    variables: Mapping[str, str]
    livekit: api.LiveKitAPI
    store: SessionStore


def subjects(callers: int) -> list[Subject]:
    """Return the workers that are compared, each with the callers that come at once."""
    plain = ("bench.plain_worker", "start")
    places = {"WORKER_CAPACITY": str(callers), "AGENT_GREETS_FIRST": "false"}

    def ours(name: str, pool: int, warm: int | None) -> Subject:
        variables = places | {"POOL_SIZE": str(pool)}
        return Subject(
            name=name,
            module=("worker",),
            variables=variables,
            waits_for_warm=warm,
            must_take=callers,
        )

    three = _PLAIN_WARM
    return [
        Subject(name=f"plain, {three} warm", module=plain, variables={}, waits_for_warm=three),
        Subject(
            name=f"plain, {three} warm, just registered",
            module=plain,
            variables={},
            waits_for_warm=None,
        ),
        ours(f"ours, {three} warm", three, three),
        ours(f"ours, {callers} warm", callers, callers),
        ours(f"ours, {callers} warm, just registered", callers, None),
    ]


async def measure(neighbours: Neighbours, callers: int, folder: Path, progress: Progress) -> Table:
    """Let the same number of callers come to each worker at once."""
    rows = []
    for number, subject in enumerate(subjects(callers)):
        progress.tell(subject.name)
        agent_name = f"burst-{secrets.token_hex(4)}"
        log = folder / f"worker-{number}.log"
        async with _worker(subject, neighbours, agent_name, log):
            took_ms = await _burst(neighbours, agent_name, callers)
        rows.append(_row(subject, took_ms))
    return Table(
        part="burst",
        question=f"how many of {callers} callers at once get an agent, and after how many ms",
        subject="worker",
        rows=rows,
        notes=(
            "the time is from asking LiveKit for the room to an agent in it",
            f"nobody comes after {_PATIENCE_S:g} s: LiveKit offers a job once",
        ),
    )


async def _burst(neighbours: Neighbours, agent_name: str, callers: int) -> list[float]:
    """Open rooms at once; return after how many ms each of those that got an agent had it."""
    sessions = [new_session_id() for _ in range(callers)]
    identities = [new_identity() for _ in sessions]
    for session_id, identity in zip(sessions, identities, strict=True):
        await neighbours.store.admit(Newcomer(id=session_id, user_id=None, identity=identity))
    waits = (
        _call(neighbours.livekit, agent_name, session_id, identity)
        for session_id, identity in zip(sessions, identities, strict=True)
    )
    took_ms = await asyncio.gather(*waits)
    for session_id in sessions:
        request = api.DeleteRoomRequest(room=room_name(session_id))
        await neighbours.livekit.room.delete_room(request)
        await neighbours.store.end(session_id)
    return sorted(took for took in took_ms if took is not None)


async def _call(
    livekit: api.LiveKitAPI, agent_name: str, session_id: SessionId, identity: str
) -> float | None:
    room = room_name(session_id)
    note = Assignment(session_id=session_id, identity=identity).to_metadata()
    dispatch = api.RoomAgentDispatch(agent_name=agent_name, metadata=note)
    began = time.monotonic()
    await livekit.room.create_room(api.CreateRoomRequest(name=room, agents=[dispatch]))
    while (waited_s := time.monotonic() - began) < _PATIENCE_S:
        found = await livekit.room.list_participants(api.ListParticipantsRequest(room=room))
        if found.participants:
            return waited_s * 1000
        await asyncio.sleep(_LOOK_EVERY_S)
    return None


@asynccontextmanager
async def _worker(
    subject: Subject, neighbours: Neighbours, agent_name: str, log: Path
) -> AsyncIterator[None]:
    def describe() -> Sequence[Service]:
        port = free_port()
        path = "/healthz" if subject.module == ("worker",) else "/"
        url = f"http://{LOOPBACK}:{port}"
        names = dict.fromkeys(("AGENT_NAME", "LIVEKIT_AGENT_NAME"), agent_name)
        variables = {"WORKER_PORT": str(port), **names, **subject.variables}
        command = Command(
            name="worker",
            argv=(sys.executable, "-m", *subject.module),
            env={**neighbours.variables, **variables},
            log=log,
            cwd=REPO,
        )
        ready = http_ok(url + path)
        return [Service(command=command, url=url, ready=ready, ready_within_s=_READY_S)]

    async with running(describe):
        await _until_logged(log, _REGISTERED, 1)
        await _until_logged(log, _WARM, subject.waits_for_warm or 0)
        yield


async def _until_logged(log: Path, text: str, times: int) -> None:
    ends_at = time.monotonic() + _READY_S
    while (await asyncio.to_thread(log.read_text)).count(text) < times:
        if time.monotonic() > ends_at:
            raise TimeoutError(f"the worker did not say: {text}")
        await asyncio.sleep(_LOOK_EVERY_S)


def _row(subject: Subject, took_ms: list[float]) -> Row:
    return Row(
        name=subject.name,
        figures={
            "took": len(took_ms),
            "first": round(took_ms[0]) if took_ms else None,
            "median": round(statistics.median(took_ms)) if took_ms else None,
            "last": round(took_ms[-1]) if took_ms else None,
        },
        aim=None if subject.must_take is None else Aim(limit=subject.must_take, is_minimum=True),
    )


@asynccontextmanager
async def _neighbours(env: Mapping[str, str], folder: Path) -> AsyncIterator[Neighbours]:
    redis, livekit = find_program(REDIS, env), find_program(LIVEKIT, env)
    keys, chosen = Keys.generate(), list[Ports]()

    def describe() -> Sequence[Service]:
        ports = random_ports()
        chosen.append(ports)
        return [
            redis_service(redis, port=ports.redis, run_dir=folder, env=env, is_durable=False),
            livekit_service(
                livekit,
                ports=ports,
                keys=keys,
                run_dir=folder,
                env=env,
                webhook_url=f"http://{LOOPBACK}:{ports.tokenserver}/",
            ),
        ]

    async with running(describe):
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
                yield Neighbours(
                    variables=variables, livekit=lk, store=SessionStore(client, settings)
                )
        finally:
            await client.aclose()


def _callers(text: str) -> int:
    if not text.isdecimal() or not 2 <= int(text) <= 50:
        raise argparse.ArgumentTypeError(f"{text} is no number from 2 to 50")
    return int(text)


async def _run(callers: int, env: Mapping[str, str]) -> Table:
    with tempfile.TemporaryDirectory(prefix="bench-burst-") as folder:
        async with _neighbours(env, Path(folder)) as neighbours:
            progress = Progress("burst", Terminal(env, sys.stderr))
            table = await measure(neighbours, callers, Path(folder), progress)
            progress.done()
            return table


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0 when it ran through, whatever it found."""
    parser = argparse.ArgumentParser(prog="python -m bench.burst", description=__doc__)
    parser.add_argument(
        "--callers", type=_callers, default=10, metavar="N", help="how many come at once (10)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args(argv)
    env = load_environment()
    terminal = Terminal(env)
    terminal.line(
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )
    try:
        table = asyncio.run(_run(options.callers, env))
    except (DevstackError, OSError, TimeoutError) as error:
        Terminal(env, sys.stderr).error(str(error), getattr(error, "log_tail", ""))
        return 1
    table.show(terminal)
    if options.json:
        options.json.write_text(json.dumps(table.as_json(), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
