"""What the benchmark of assignments is held on: our servers, one worker of ours, users who call."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from bench.api_client import reaching
from bench.api_server import running_api
from bench.race.provider import running_provider
from bench.race.words import GREETING
from bench.soak_fleet import DEFAULTS
from bench.workers import OURS, working
from devstack.talk.caller import Caller, CallerError, NoAnswer
from sessions.ids import SessionId
from sessions.store import SessionStore

#: Who has heard nothing by then was not served, and counts as having waited so long.
PATIENCE_S = 60.0
#: The client library gives up by itself before; it must not be interrupted.
_JOIN_WITHIN_S = 240.0
_RESTED_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.02
#: Each request would be a line of the benchmark's output.
_HTTP_LOG = logging.getLogger("httpx2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How one start went, in ms from the request; None: it did not come to that."""

    assigned_ms: float | None = None
    word_ms: float | None = None
    #: Whether a warm process had it.
    is_warm: bool | None = None
    #: Why there was no word.
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Whom the users call."""

    http: httpx2.AsyncClient
    livekit_url: str
    store: SessionStore
    folder: Path
    #: What a worker is told.
    variables: Mapping[str, str]

    async def call(self, *, stays_s: float = 0.0) -> Call:
        """Start a session, join, hear the first word, stay so long, leave, and end the session."""
        began, began_at_ms = time.monotonic(), time.time() * 1e3
        try:
            answer = await self.http.post("/api/session/start", json={})
            answer.raise_for_status()
        except httpx2.HTTPError as error:
            return Call(problem=f"start refused: {error!r}")
        started: Mapping[str, str] = answer.json()
        word_ms, problem = None, ""
        url, token = self.livekit_url, started["participantToken"]
        caller = Caller(url, token, join_within_s=_JOIN_WITHIN_S)
        try:
            async with caller:
                word_ms = (await _first_word_at(caller, began + PATIENCE_S) - began) * 1e3
                await asyncio.sleep(stays_s)
        except CallerError as error:
            problem = f"{error}; {_what_was_there(caller, began)}"
        session = await self.store.get(SessionId(started["sessionId"]))
        if problem:
            why = session.error or session.reason or "no reason"
            problem += f"; session {session.id}: {session.status} ({why}), epoch {session.epoch}"
        await self._stop(started)
        # The store's clock is Redis's, and that is this machine's.
        claimed_at_ms = session.claimed_at_ms
        assigned_ms = None if claimed_at_ms is None else claimed_at_ms - began_at_ms
        return Call(
            assigned_ms=assigned_ms,
            word_ms=word_ms,
            is_warm=session.prewarmed,
            problem=problem,
        )

    async def _stop(self, started: Mapping[str, str]) -> None:
        body = {name: started[name] for name in ("sessionId", "sessionSecret")}
        (await self.http.post("/api/session/stop", json=body)).raise_for_status()

    @asynccontextmanager
    async def worker(self, isolation: str, **settings: str) -> AsyncIterator[str]:
        """Run a worker for all calls, until the block is left; yield its URL.

        It is running once LiveKit knows it. The first of a stage makes the greeting's clip, unless
        the settings name another folder.
        """
        log = self.folder / f"worker-{secrets.token_hex(4)}.log"
        variables = {**self.variables, "ISOLATION": isolation, **settings}
        name = variables["AGENT_NAME"]
        async with working(OURS, variables, agent_name=name, log=log) as url:
            yield url

    async def until_rested(self, worker_url: str) -> None:
        """Wait until a worker has no call, and all the warm processes it wants.

        Raises TimeoutError.
        """
        ends_at = time.monotonic() + _RESTED_WITHIN_S
        while True:
            told = (await self.http.get(f"{worker_url}/worker")).raise_for_status().json()
            if not told["active"] and told["idle"] >= told["poolTarget"]:
                return
            if time.monotonic() > ends_at:
                raise TimeoutError(f"the worker did not come to rest: {told}")
            await asyncio.sleep(_LOOK_EVERY_S)


async def _first_word_at(caller: Caller, ends_at: float) -> float:
    """Return when the agent was heard first. Raises CallerError when it was not."""
    while (heard_at := caller.hearing.first_loud_at) is None:
        if caller.log.ended_because is not None:
            raise NoAnswer(f"the call was ended: {caller.log.ended_because}")
        if time.monotonic() > ends_at:
            raise NoAnswer(f"no word within {PATIENCE_S:g} s")
        await asyncio.sleep(_LOOK_EVERY_S)
    return heard_at


def _what_was_there(caller: Caller, began: float) -> str:
    """Say how far a call came that had no word: when, in s, and what the agent says it does."""
    moments = caller.log.moments
    told = {
        "joined": moments.joined_at,
        "agent": moments.agent_joined_at,
        "its track": moments.agent_track_at,
    }
    times = (
        f"{name} {'never' if at is None else f'{at - began:.1f} s'}" for name, at in told.items()
    )
    states = ", ".join(f"{state} {at - began:.1f} s" for at, state in caller.log.states)
    said = " ".join(line.text.strip() for line in caller.lines)
    return f"{', '.join(times)}; states: {states or 'none'}; transcript: {said!r}"


@asynccontextmanager
async def running_stage(env: Mapping[str, str], folder: Path) -> AsyncIterator[Stage]:
    """Run all but a worker until the block is left. Raises ToolMissing."""
    _HTTP_LOG.setLevel(logging.WARNING)
    async with AsyncExitStack() as stack:
        model_url = await stack.enter_async_context(
            running_provider(sys.executable, dict(env), folder)
        )
        # An empty value counts as unset: lost and late agents are dealt with as by default.
        told = {**env, "AGENT_NAME": f"assignment-{secrets.token_hex(4)}"}
        servers = await stack.enter_async_context(
            running_api(told, folder, settings=dict.fromkeys(DEFAULTS, ""))
        )
        variables = {**servers.services[-1].command.env, **_models(model_url)}
        variables["GREETING_CACHE_DIR"] = str(folder / "clips")
        reach = await stack.enter_async_context(reaching(variables, timeout_s=PATIENCE_S))
        yield Stage(
            http=reach.http,
            livekit_url=variables["LIVEKIT_URL"],
            store=reach.store,
            folder=folder,
            variables=variables,
        )


def _models(url: str) -> dict[str, str]:
    names = ("OPENAI_BASE_URL", "STT_BASE_URL", "LLM_BASE_URL", "TTS_BASE_URL")
    greeting = {"AGENT_GREETS_FIRST": "true", "AGENT_GREETING": GREETING}
    # As many warm processes as by default, whatever the environment says.
    return dict.fromkeys(names, url) | greeting | {"OPENAI_API_KEY": "unset", "POOL_SIZE": ""}
