"""What is sent is what the formats say; nothing in it calls anybody in a channel."""

from __future__ import annotations

import json
from typing import Any

import pytest

from notices.formats import Format, body_of, escape
from notices.message import Message, iso_time

AT_MS = 1_764_000_000_042
ALERT: dict[str, Any] = {
    "code": "worker_silent",
    "severity": "warning",
    "message": "Not heard of for a while: <!channel> & <@U123>.",
    "value": 7000,
    "limit": 3000,
    "since": AT_MS,
}


def message(kind: str = "alert.firing", **changes: object) -> Message:
    return Message(id="alert_x_1", type=kind, at_ms=AT_MS, data={**ALERT, **changes})


def slack(told: Message) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(body_of(told, Format.SLACK))
    return body


def test_json_is_the_message_and_the_same_each_time() -> None:
    told = message()
    assert json.loads(body_of(told, Format.JSON)) == {
        "type": "alert.firing",
        "timestamp": "2025-11-24T16:00:00.042Z",
        "data": ALERT,
    }
    assert body_of(told, Format.JSON) == body_of(message(), Format.JSON)


@pytest.mark.parametrize(
    ("at_ms", "text"), [(0, "1970-01-01T00:00:00.000Z"), (1_999, "1970-01-01T00:00:01.999Z")]
)
def test_times_are_utc_to_the_ms(at_ms: int, text: str) -> None:
    assert iso_time(at_ms) == text


def test_slack_shows_words_and_figures_and_calls_nobody() -> None:
    body = slack(message())
    assert body["text"] == (
        ":large_orange_circle: Warning: Not heard of for a while: "
        "&lt;!channel&gt; &amp; &lt;@U123&gt;."
    )
    text, figures = body["blocks"]
    assert "*Warning*" in text["text"]["text"]
    assert figures["elements"][0]["text"] == (
        "`worker_silent` 7000 (limit 3000), since 2025-11-24T16:00:00.042Z"
    )
    assert "<" not in json.dumps(body)
    assert body["unfurl_links"] is False


@pytest.mark.parametrize(
    ("kind", "severity", "begins"),
    [
        ("alert.firing", "critical", ":red_circle: Critical: "),
        ("alert.resolved", "critical", ":large_green_circle: Resolved: "),
    ],
)
def test_slack_tells_apart_what_is_over(kind: str, severity: str, begins: str) -> None:
    assert slack(message(kind, severity=severity))["text"].startswith(begins)


def test_what_is_shown_is_bounded() -> None:
    assert escape("<" * 10_000) == "&lt;" * 499 + "…"
    text = slack(message(message="&" * 10_000))["blocks"][0]["text"]["text"]
    assert len(text) < 3_000
