"""The trace of a real call, from the request that starts it to its end, at a real receiver."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sessions.states import State
from telemetry.tracing import dispatch_span, root_span, trace_id
from tests.integration.worker.fleet import CALL_S, Fleet
from tests.integration.worker.house import BACK, House, join, open_house
from tests.integration.worker.talking import until_said
from tests.support.figures import read_page
from tests.support.otlp import Received, Receiver, receiver
from tests.support.provider import Provider
from tests.support.replicas import ADMIN_KEY
from tests.support.servers import RedisServer
from tests.support.speech import speak
from tests.support.wait import eventually

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("nothing_before")]

USER = "ada.lovelace@example.org"
CALLER_TRACE, CALLER_SPAN = 0xABCDEF, 0x123456
TRACEPARENT = f"00-{CALLER_TRACE:032x}-{CALLER_SPAN:016x}-01"
OTLP_KEY = "otlp-key-4711"
LOST = ("voicefleet_trace_spans_lost_total", ())
#: The spans of an agent, below its own.
OF_AN_AGENT = {"accept", "launch", "claim", "join", "publish", "greeting"}


@pytest.fixture
async def tempo() -> AsyncIterator[Receiver]:
    async with receiver() as one:
        yield one


Open = Callable[..., Awaitable[House]]


@pytest.fixture
async def open_one(
    fleet: Fleet, redis_server: RedisServer, tempo: Receiver, tmp_path: Path
) -> AsyncIterator[Open]:
    """Starts all services, which send to the receiver, with some variables changed."""
    async with AsyncExitStack() as cleanup:

        async def opening(**changes: str) -> House:
            changes |= {"OTEL_EXPORTER_OTLP_ENDPOINT": tempo.url}
            return await open_house(fleet, redis_server, tmp_path, cleanup, **changes)  # type: ignore[arg-type]

        yield opening


def below(parent: Received, spans: list[Received]) -> set[str]:
    return {one.name for one in spans if one.parent == parent.id}


def is_below(span: Received, ancestor: Received, spans: list[Received]) -> bool:
    by_id = {one.id: one for one in spans}
    while span.parent in by_id:
        span = by_id[span.parent]
        if span.id == ancestor.id:
            return True
    return span.parent == ancestor.id


async def until_ended(tempo: Receiver, count: int = 1) -> None:
    async def has_ended() -> bool:
        return len(tempo.named("end")) >= count

    await eventually(has_ended, CALL_S, message="the last span")


async def test_one_trace_tells_of_a_session(
    fleet: Fleet, localvoice_url: str, tempo: Receiver, open_one: Open
) -> None:
    """1. A session is started for a user, within a trace of its caller. 2. The user asks by voice
    and by typing. 3. The agent is killed. 4. Another one comes, and answers. 5. The session is
    stopped.

    Result: one trace, from the start to the end of the second agent; no word, name or key in it.
    """
    house = await open_one(POOL_SIZE="2", OTEL_EXPORTER_OTLP_HEADERS=f"x-key={OTLP_KEY}")
    question = await speak(localvoice_url, "What is seven plus five?")
    started = await house.start({"userId": USER}, traceparent=TRACEPARENT)
    async with join(started) as caller:
        await caller.wait_greeting(CALL_S)
        await caller.say(question)
        await caller.wait_answer(CALL_S)
        await caller.type("What is 20 plus four?")
        await until_said(caller, "24")
        first = await house.until(started, State.ACTIVE)

        async def is_told() -> bool:
            return len(tempo.named("turn")) >= 4 and bool(tempo.named("llm_node"))

        await eventually(is_told, CALL_S, message="turns of the first agent")
        os.kill(first.agent_pid or 0, signal.SIGKILL)
        await until_said(caller, BACK)
        await caller.type("What is 30 plus four?")
        await until_said(caller, "34")
        second = await house.until(started, State.ACTIVE, epoch=2)
        said = [line.text for line in caller.lines]
        await house.stop(started)
    await until_ended(tempo)

    async def has_stopped() -> bool:
        return bool(tempo.named("stop"))

    # The token server sends its spans in its own time.
    await eventually(has_stopped, CALL_S, message="the span of the stop")
    assert_one_trace(tempo.spans, started["sessionId"])
    assert_agents(tempo, started["sessionId"], [str(first.job_id), str(second.job_id)])
    keys = [ADMIN_KEY, OTLP_KEY, USER, started["sessionSecret"], started["participantToken"]]
    keys += [fleet.server.api_secret, second.identity, "Ada", "ada.lovelace"]
    told = b"".join(tempo.bodies)
    assert [text for text in [*keys, *said] if text.encode() in told] == []
    assert [text for text in ("seven plus five", "plus four") if text.encode() in told] == []
    assert {one["x-key"] for one in tempo.headers} == {OTLP_KEY}


def assert_one_trace(spans: list[Received], session_id: str) -> None:
    assert {one.trace for one in spans} == {trace_id(session_id)}
    roots = [one for one in spans if one.parent == 0]
    assert [(one.name, one.id) for one in roots] == [("start", root_span(session_id))]
    assert roots[0].links == [(CALLER_TRACE, CALLER_SPAN)]
    assert roots[0].attributes["voicefleet.outcome"] == "new"
    assert roots[0].service == "voicefleet-tokenserver"
    assert {"admit", "dispatch", "stop"} <= below(roots[0], spans)
    assert not any(one.events for one in spans)
    assert {one.service for one in spans} == {"voicefleet-tokenserver", "voicefleet-worker"}


def assert_agents(tempo: Receiver, session_id: str, jobs: list[str]) -> None:
    spans = tempo.spans
    dispatches = tempo.named("dispatch")
    assert [one.id for one in dispatches] == [dispatch_span(session_id, n) for n in (1, 2)]
    reasons = [one.attributes["voicefleet.reason"] for one in dispatches]
    assert reasons == ["admitted", "agent_lost"]
    assert below(dispatches[0], spans) == {"open room", "agent"}
    assert below(dispatches[1], spans) == {"send agent", "agent"}
    agents = tempo.named("agent")
    assert [one.parent for one in agents] == [one.id for one in dispatches]
    assert [one.attributes["voicefleet.job_id"] for one in agents] == jobs
    assert [one.attributes["voicefleet.epoch"] for one in agents] == [1, 2]
    for agent in agents:
        assert below(agent, spans) >= OF_AN_AGENT | {"turn"}
        assert any(is_below(one, agent, spans) for one in tempo.named("llm_node"))
    (end,) = tempo.named("end")
    assert end.parent == agents[1].id
    roles = {one.attributes["voicefleet.role"] for one in tempo.named("turn")}
    assert roles == {"user", "assistant"}
    assert {"user_turn", "agent_turn", "tts_node"} <= {one.name for one in spans}


async def test_a_receiver_that_hangs_keeps_nobody_waiting(
    provider: Provider, tempo: Receiver, open_one: Open
) -> None:
    """1. A receiver takes connections and never answers. 2. A user starts, is greeted, is answered,
    and stops. 3. Both services are stopped.

    Result: all of that as if there were no receiver; what it did not take is counted.
    """
    tempo.holds = True
    provider.reply = "It is four."
    house = await open_one(OPENAI_BASE_URL=provider.url)
    started = await house.start({"userId": USER})
    async with join(started) as caller:
        await caller.wait_greeting(CALL_S)
        await caller.type("What is two plus two?")
        await until_said(caller, "It is four.")

        async def is_held() -> bool:
            return tempo.held >= 2

        await eventually(is_held, CALL_S, message="requests of both are held")
        await house.stop(started)
    await house.until(started, State.ENDED)

    async def is_counted() -> bool:
        of_worker = read_page((await house.worker.ask("/metrics")).text)
        answer = await house.http.get("/metrics", headers=house.admin)
        return min(of_worker[LOST], read_page(answer.text)[LOST]) >= 1

    await eventually(is_counted, CALL_S, message="lost spans")
    assert tempo.spans == []
    assert tempo.ever_held >= 2
    house.worker.process.terminate()
    assert await house.worker.exit_status() == 0
    house.server.signal()
    assert await house.server.exit_status() == 0


async def test_the_trace_of_an_agent_that_nobody_started_has_a_root(
    fleet: Fleet, provider: Provider, tempo: Receiver
) -> None:
    """As LiveKit's own tools send one, without metadata."""
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": tempo.url, "OPENAI_BASE_URL": provider.url}
    await fleet.start_worker(**variables)  # type: ignore[arg-type]
    call = fleet.new_call()
    # A room that is not named as ours are.
    call.room = f"somewhere-{call.session_id}"
    await fleet.send_agent(call, "")

    async def is_told() -> bool:
        return bool(tempo.named("adoption"))

    await eventually(is_told, CALL_S)
    (root,) = tempo.named("adoption")
    (agent,) = tempo.named("agent")
    assert (root.parent, agent.parent) == (0, root.id)
    assert call.room.encode() not in b"".join(tempo.bodies)
