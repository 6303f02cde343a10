"""The trace of a session follows from its id; what spans say is listed; off means off."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from telemetry.settings import TracingSettings
from telemetry.span_rules import OTHER, allowed_attributes, allowed_name
from telemetry.tracing import (
    OFF,
    Step,
    dispatch_span,
    is_sampled,
    open_traces,
    parse_traceparent,
    root_span,
    span_id,
    trace_id,
)

ROOT = Path(__file__).parents[3]
SESSION = "5d41402abc4b2a76b9719d911017c592"
ENDPOINT = "http://127.0.0.1:4318"


def test_ids_follow_from_the_session() -> None:
    """As they are written down here: services of two versions must come to the same ones."""
    assert f"{trace_id(SESSION):032x}" == "04a50744610148cb90d28c37580eb6f5"
    assert f"{root_span(SESSION):016x}" == "b7f92f2296dd93aa"
    assert f"{dispatch_span(SESSION, 1):016x}" == "567e2ebca3743be4"
    named = {root_span(SESSION), dispatch_span(SESSION, 1), dispatch_span(SESSION, 2)}
    assert len(named | {span_id(SESSION, Step.AGENT, "AJ_1")}) == 4


def test_the_same_traces_are_sent_by_everybody() -> None:
    traces = [trace_id(f"{number:032x}") for number in range(1_000)]
    assert all(is_sampled(trace, 1.0) for trace in traces)
    assert not any(is_sampled(trace, 0.0) for trace in traces)
    few, half = ({one for one in traces if is_sampled(one, share)} for share in (0.1, 0.5))
    assert 50 < len(few) < 150
    assert 400 < len(half) < 600
    assert few < half


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f"00-{5:032x}-{7:016x}-01", (5, 7)),
        (f"00-{5:032x}-{7:016x}-00", (5, 7)),
        (f"01-{5:032x}-{7:016x}-01-more", (5, 7)),
        (f"ff-{5:032x}-{7:016x}-01", None),
        (f"00-{0:032x}-{7:016x}-01", None),
        (f"00-{5:032x}-{0:016x}-01", None),
        (f"00-{5:032x}-{7:016x}-01\n", None),
        (f"00-{5:031x}-{7:016x}-01", None),
        ("", None),
    ],
)
def test_a_callers_header_is_read_as_w3c_has_it(header: str, found: tuple[int, int] | None) -> None:
    assert parse_traceparent(header) == found


def test_what_is_not_listed_is_not_sent() -> None:
    said = {
        "lk.pii.user_transcript": "I am Ada.",
        "lk.stt.events": "[{}]",
        "gen_ai.input.messages": "I am Ada.",
        "lk.function_tool.name": "look_up",
        "exception.message": "I am Ada.",
        "a.new.attribute": 7,
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 12,
        "lk.interrupted": False,
        # Listed, and not what it is listed as.
        "lk.e2e_latency": "I am Ada.",
        "gen_ai.provider.name": "I am Ada.",
        "voicefleet.reason": ["I", "am", "Ada"],
    }
    assert allowed_attributes(said) == {
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 12,
        "lk.interrupted": False,
    }
    assert allowed_attributes(None) == {}


def test_names_of_spans_are_listed() -> None:
    assert allowed_name("turn") == "turn"
    assert allowed_name("agent_turn") == "agent_turn"
    assert allowed_name("call of Ada") == OTHER


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("", {}),
        ("Key=Bearer%20abc, x-tenant = one,", {"key": "Bearer abc", "x-tenant": "one"}),
        ("key=with=sign", {"key": "with=sign"}),
    ],
)
def test_headers_are_read(
    text: str, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", text)
    assert TracingSettings().otlp_headers == headers


@pytest.mark.parametrize("text", ["hidden-word", "a b=hidden-word", "key=hidden-word%0d%0ax"])
def test_headers_that_are_none_are_refused_and_not_shown(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", text)
    with pytest.raises(ValidationError) as refused:
        TracingSettings()
    assert "hidden-word" not in str(refused.value)


def test_without_a_receiver_there_is_nothing() -> None:
    assert open_traces(TracingSettings(), "tests", lambda _: None) is OFF
    assert OFF.provider() is None
    assert not OFF.is_on


async def test_a_span_that_is_off_lets_everything_through() -> None:
    with pytest.raises(KeyError), OFF.span(SESSION, Step.ADMIT, parent=None):
        raise KeyError
    await OFF.aclose()


def run(program: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_only_one_module_of_ours_imports_opentelemetry() -> None:
    """All modules but that one are imported, and then what there is of it.

    livekit-agents imports it itself, so that those of the worker are looked at by their text.
    """
    sources = [
        path
        for package in ("telemetry", "tokenserver", "supervisor", "rooms", "sessions", "worker")
        for path in (ROOT / package).rglob("*.py")
    ]
    naming = {
        str(path.relative_to(ROOT))
        for path in sources
        if "\nfrom opentelemetry" in path.read_text()
        or "\nimport opentelemetry" in path.read_text()
    }
    assert naming == {"telemetry/otlp.py"}


def test_a_missing_package_is_told_of_and_nothing_else_needs_it() -> None:
    """As in an image without the extra."""
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import tokenserver.app, supervisor.__main__\n"
        "from telemetry.settings import TracingSettings\n"
        "from telemetry.tracing import open_traces\n"
        "print(open_traces(TracingSettings(), 'tests', print).is_on)\n"
    )
    without = run(program)
    assert (without.returncode, without.stdout) == (0, "False\n"), without.stderr
    wanted = run(program, OTEL_EXPORTER_OTLP_ENDPOINT=ENDPOINT)
    assert wanted.returncode == 1
    assert "install the extra `tracing`" in wanted.stderr
