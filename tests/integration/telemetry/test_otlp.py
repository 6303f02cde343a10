"""Spans on their way to a real receiver: what arrives, and that nobody ever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from opentelemetry import trace

from devstack.services.ports import LOOPBACK, free_port
from telemetry.otlp import OtlpTraces
from telemetry.settings import TracingSettings
from telemetry.tracing import Span, Step, Traces, open_traces, root_span, trace_id
from tests.support.otlp import Receiver, receiver
from tests.support.wait import eventually

SESSION = "5d41402abc4b2a76b9719d911017c592"
SECRET = "xyzzy-4711"


@pytest.fixture
async def tempo() -> AsyncIterator[Receiver]:
    async with receiver() as one:
        yield one


class Losses(list[int]):
    """How many were lost, each time."""

    @property
    def total(self) -> int:
        return sum(self)


def opened(url: str, losses: Losses, monkeypatch: pytest.MonkeyPatch, share: str = "1.0") -> Traces:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-key={SECRET}")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "house")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)
    return open_traces(TracingSettings(), "tests", losses.append)


def span(step: Step = Step.ADMIT) -> Span:
    return Span(session_id=SESSION, step=step, began_ns=1, ended_ns=2, parent=root_span(SESSION))


async def until_held(tempo: Receiver) -> None:
    async def is_held() -> bool:
        return tempo.held > 0

    await eventually(is_held)


async def test_spans_arrive_with_what_they_may_say(
    tempo: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours, and those of a framework below one of ours; what is below none, or is not listed, does
    not."""
    losses = Losses()
    traces = opened(tempo.url, losses, monkeypatch)
    provider = traces.provider()
    assert provider is not None
    tracer = provider.get_tracer("framework")

    async def live() -> None:
        tracer.start_span("job_entrypoint").end()
        traces.enter(SESSION, 77)
        with suppress(ValueError), tracer.start_as_current_span("agent_turn"):
            one = trace.get_current_span()
            one.set_attribute("lk.pii.user_transcript", SECRET)
            one.set_attribute("lk.e2e_latency", 0.5)
            one.add_event("heard", {"words": SECRET})
            raise ValueError(SECRET)
        links = [trace.Link(one.get_span_context(), {"k": SECRET})]
        tracer.start_span(f"of {SECRET}", links=links).end()

    await asyncio.create_task(live())
    with (
        pytest.raises(KeyError),
        traces.span(SESSION, Step.START, parent=None, own_id=5, link=(8, 9), epoch=2, other=SECRET),
    ):
        raise KeyError(SECRET)
    await traces.aclose()
    (turn,) = tempo.named("agent_turn")
    assert (turn.trace, turn.parent, turn.service) == (trace_id(SESSION), 77, "house-tests")
    assert turn.attributes == {"lk.e2e_latency": 0.5}
    assert (turn.is_error, turn.events) == (True, 0)
    (start,) = tempo.named("start")
    assert (start.trace, start.id, start.parent) == (trace_id(SESSION), 5, 0)
    assert start.links == [(8, 9)]
    assert start.attributes == {
        "voicefleet.session_id": SESSION,
        "voicefleet.epoch": 2,
        "error.type": "KeyError",
    }
    assert [one.name for one in tempo.spans] == ["agent_turn", "other", "start"]
    assert {one["x-key"] for one in tempo.headers} == {SECRET}
    assert not any(SECRET.encode() in body for body in tempo.bodies)
    assert losses == []


async def test_a_session_that_is_none_of_the_share_is_not_sent(
    tempo: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = Losses()
    traces = opened(tempo.url, losses, monkeypatch, share="0.0")
    provider = traces.provider()
    assert provider is not None

    async def live() -> None:
        traces.enter(SESSION, 77)
        provider.get_tracer("framework").start_span("agent_turn").end()

    await asyncio.create_task(live())
    traces.take(span())
    await traces.aclose()
    assert (tempo.spans, losses) == ([], [])


async def test_the_end_does_not_wait_for_a_receiver_that_hangs(
    tempo: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Result: it is over while the request is under way still, and what was not taken is counted,
    once."""
    tempo.holds = True
    losses = Losses()
    traces = opened(tempo.url, losses, monkeypatch)
    traces.take(span())
    await until_held(tempo)
    traces.take(span())
    await traces.aclose()
    assert tempo.held == 1
    assert losses.total == 2
    traces.take(span())
    assert losses.total == 3
    tempo.holds = False

    async def is_let_go() -> bool:
        return tempo.held == 0

    await eventually(is_let_go)
    assert losses.total == 3


async def test_no_more_wait_than_there_is_room_for(
    tempo: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spans come faster than a receiver takes them: nobody waits, and the rest is counted."""
    tempo.holds = True
    losses = Losses()
    traces = opened(tempo.url, losses, monkeypatch)
    assert isinstance(traces, OtlpTraces)
    for _ in range(3_000):
        traces.take(span())
    assert losses.total == 1_000
    await traces.aclose()
    assert losses.total == 3_000


async def test_a_receiver_that_refuses_costs_spans_and_is_told_of_once(
    tempo: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    losses = Losses()
    traces = opened(f"http://{LOOPBACK}:{free_port()}", losses, monkeypatch)
    for number in (1, 2):
        traces.take(span())

        async def is_lost(number: int = number) -> bool:
            return losses.total == number

        await eventually(is_lost)
    await traces.aclose()
    assert [one.getMessage() for one in caplog.records] == ["spans are not taken"]
    assert SECRET not in caplog.text
    assert tempo.spans == []
