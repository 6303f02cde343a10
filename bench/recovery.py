"""Measures how soon a user whose agent was lost hears one again: `python -m bench.recovery --help`.

It starts its own Redis, livekit-server and token server, a scripted provider, two workers of ours,
and a plain one as LiveKit's starter has it. A user joins over WebRTC and is greeted. Then the
process of the agent is killed, or stopped, as a blocked event loop would be.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx2
import psutil  # type: ignore[import-untyped]
from livekit import api
from pydantic import SecretStr

from bench.api_server import running_api
from bench.progress import Progress
from bench.report import few, parser_of, report
from bench.table import Aim, Row, Table
from bench.workers import OURS, WARM, until_logged, working
from devstack.services.ports import LOOPBACK
from devstack.talk.caller import Caller
from devstack.terminal import Terminal
from sessions.connection import Temper, connect
from sessions.ids import SessionId
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.support.plain import NO_TLS
from tests.support.provider import provider

_FAULTS = {"killed": signal.SIGKILL, "stopped": signal.SIGSTOP}
#: By when 95 of 100 shall hear the replacement.
_AIMS = {"killed": Aim(limit=1.5), "stopped": Aim(limit=8)}
_GREETED_WITHIN_S = 60.0
#: After this nobody is expected any more.
_PATIENCE_S = 30.0
_LOOK_EVERY_S = 0.02
#: Two agents may be in a room for so long.
_ALONE_AFTER_S = 5.0


@dataclass(slots=True)
class Losses:
    """What became of the calls of one kind of worker whose agents were lost."""

    after_s: list[float] = field(default_factory=list)
    calls: int = 0
    #: Rooms with more than one agent a while later.
    duplicates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is there to call, and a way to look at it."""

    variables: Mapping[str, str]
    http: httpx2.AsyncClient
    livekit: api.LiveKitAPI
    store: SessionStore
    plain_name: str

    async def start(self) -> tuple[str, str, SessionId]:
        """Start a session of ours; return its room, a token, its id."""
        answer = await self.http.post("/api/session/start", json={})
        answer.raise_for_status()
        started = answer.json()
        return started["roomName"], started["participantToken"], SessionId(started["sessionId"])

    async def start_plain(self) -> tuple[str, str]:
        """Open a room with a plain agent on its way; return it with a token."""
        room = f"plain-{secrets.token_hex(4)}"
        dispatch = api.RoomAgentDispatch(agent_name=self.plain_name)
        await self.livekit.room.create_room(api.CreateRoomRequest(name=room, agents=[dispatch]))
        variables = self.variables
        token = api.AccessToken(variables["LIVEKIT_API_KEY"], variables["LIVEKIT_API_SECRET"])
        grants = api.VideoGrants(room_join=True, room=room)
        return room, token.with_identity("user").with_grants(grants).to_jwt()

    async def agents(self, room: str) -> int:
        """Return how many agents are in a room."""
        request = api.ListParticipantsRequest(room=room)
        found = (await self.livekit.room.list_participants(request)).participants
        return sum(one.kind == api.ParticipantInfo.Kind.AGENT for one in found)


async def measure(scene: Scene, rounds: int, progress: Progress) -> dict[tuple[str, str], Losses]:
    """Lose agents of both kinds in both ways, in turns."""
    losses = {(fault, kind): Losses() for fault in _FAULTS for kind in ("ours", "plain")}
    for number in range(rounds):
        for (fault, kind), found in losses.items():
            progress.tell(f"round {number + 1} of {rounds}, {kind}, {fault}")
            await _lose(scene, found, _FAULTS[fault], is_ours=kind == "ours")
    return losses


async def _lose(scene: Scene, found: Losses, fault: signal.Signals, *, is_ours: bool) -> None:
    if is_ours:
        room, token, session_id = await scene.start()
    else:
        room, token = await scene.start_plain()
    async with Caller(scene.variables["LIVEKIT_URL"], token) as caller:
        await caller.wait_greeting(_GREETED_WITHIN_S)
        await caller.wait_quiet(_GREETED_WITHIN_S)
        if is_ours:
            pids = [(await scene.store.get(session_id)).agent_pid or 0]
        else:
            pids = _jobs_of(scene.plain_name)
        lost_at = time.monotonic()
        for pid in pids:
            os.kill(pid, fault)
        found.calls += 1
        try:
            if (after_s := await _heard_again(caller, lost_at)) is not None:
                found.after_s.append(after_s)
            await asyncio.sleep(max(0.0, lost_at + _ALONE_AFTER_S - time.monotonic()))
            found.duplicates += await scene.agents(room) > 1
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    with suppress(api.TwirpError):  # it may be gone already
        await scene.livekit.room.delete_room(api.DeleteRoomRequest(room=room))


async def _heard_again(caller: Caller, lost_at: float) -> float | None:
    """Return after how many seconds an agent was heard; None if there was none."""
    while time.monotonic() - lost_at < _PATIENCE_S and caller.log.ended_because is None:
        if (sound_at := caller.hearing.first_loud_after(lost_at)) is not None:
            return sound_at - lost_at
        await asyncio.sleep(_LOOK_EVERY_S)
    return None


def _jobs_of(agent_name: str) -> list[int]:
    """Return the job processes of a plain worker: it does not tell which of them has the call."""
    own = psutil.Process().children(recursive=True)
    of_worker = [one for one in own if one.environ().get("LIVEKIT_AGENT_NAME") == agent_name]
    parents = {one.ppid() for one in of_worker}
    return [one.pid for one in of_worker if one.pid not in parents and one.ppid() in parents]


def table(losses: Mapping[tuple[str, str], Losses]) -> Table:
    """Return what became of them."""
    rows = [
        Row(
            name=f"{fault}: {kind}",
            figures={
                "p95 s": _percentile(found.after_s, found.calls),
                "median s": _median(found.after_s),
                "heard again": f"{len(found.after_s)} of {found.calls}",
                "two agents": found.duplicates,
            },
            aim=_AIMS[fault] if kind == "ours" else None,
        )
        for (fault, kind), found in losses.items()
    ]
    return Table(
        part="recovery",
        question="how soon a user hears an agent again whose agent was lost",
        subject="its process, worker",
        rows=rows,
        notes=(
            f"nobody was waited for longer than {_PATIENCE_S:g} s; a call that was never heard "
            "again counts as slower than all others",
            f"two agents: rooms that had more than one {_ALONE_AFTER_S:g} s later",
        ),
    )


def _percentile(after_s: Sequence[float], calls: int) -> float | None:
    """Return the 95th percentile of all calls; None where that one was never heard again."""
    place = max(0, -(-95 * calls // 100) - 1)
    return round(sorted(after_s)[place], 2) if place < len(after_s) else None


def _median(after_s: Sequence[float]) -> float | None:
    return round(statistics.median(after_s), 2) if after_s else None


@asynccontextmanager
async def _scene(env: Mapping[str, str], folder: Path) -> AsyncIterator[Scene]:
    name, plain_name = (f"recovery-{secrets.token_hex(4)}" for _ in range(2))
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(provider())
        told = {**env, "AGENT_NAME": name}
        servers = await stack.enter_async_context(running_api(told, folder))
        variables = {**servers.services[-1].command.env, "OPENAI_BASE_URL": one.url}
        variables |= dict.fromkeys(("STT_BASE_URL", "LLM_BASE_URL", "TTS_BASE_URL"), one.url)
        variables |= {"OPENAI_API_KEY": "unset", "POOL_SIZE": "2"}
        variables["GREETING_CACHE_DIR"] = str(folder / "clips")
        for number, (module, agent) in enumerate(
            [(OURS, name), (OURS, name), (("bench.plain_agent", "start"), plain_name)]
        ):
            log = folder / f"worker-{number}.log"
            await stack.enter_async_context(working(module, variables, agent_name=agent, log=log))
            await until_logged(log, WARM, 2)
        settings = StoreSettings(redis_url=SecretStr(variables["REDIS_URL"]))
        redis = connect(settings, Temper.PATIENT)
        stack.push_async_callback(redis.aclose)
        livekit = api.LiveKitAPI(
            variables["LIVEKIT_URL"].replace("ws", "http", 1),
            variables["LIVEKIT_API_KEY"],
            variables["LIVEKIT_API_SECRET"],
        )
        stack.push_async_callback(livekit.aclose)
        url = f"http://{LOOPBACK}:{variables['TOKENSERVER_PORT']}"
        http = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=url, timeout=20, verify=NO_TLS)
        )
        yield Scene(
            variables=variables,
            http=http,
            livekit=livekit,
            store=SessionStore(redis, settings),
            plain_name=plain_name,
        )


async def _run(rounds: int, env: Mapping[str, str]) -> list[Table]:
    with tempfile.TemporaryDirectory(prefix="bench-recovery-") as folder:
        async with _scene(env, Path(folder)) as scene:
            progress = Progress("recovery", Terminal(env, sys.stderr))
            losses = await measure(scene, rounds, progress)
            progress.done()
    return [table(losses)]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0 when it ran through, whatever it found."""
    parser = parser_of("recovery", __doc__)
    parser.add_argument("--rounds", type=few, default=10, metavar="N", help="of all (10)")
    options = parser.parse_args(argv)
    return report(partial(_run, options.rounds), options.json)


if __name__ == "__main__":
    sys.exit(main())
