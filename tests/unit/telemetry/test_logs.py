from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from telemetry import redaction
from telemetry.logs import JsonFormatter
from telemetry.redaction import HIDDEN


def line(message: str, **extra: object) -> dict[str, Any]:
    record = logging.makeLogRecord(
        {"name": "test", "levelname": "INFO", "levelno": logging.INFO, "msg": message, **extra}
    )
    text = JsonFormatter("service").format(record)
    assert "\n" not in text
    fields: dict[str, Any] = json.loads(text)
    return fields


def test_a_line_has_the_keys_that_the_framework_uses() -> None:
    fields = line("hello", session_id="s1")
    assert fields["message"] == "hello"
    assert fields["level"] == "INFO"
    assert fields["service"] == "service"
    assert fields["session_id"] == "s1"
    assert "timestamp" in fields


@pytest.mark.parametrize(
    "name", ["token", "participantToken", "apiKey", "admin_key", "Authorization", "transcript"]
)
def test_secret_fields_are_hidden(name: str) -> None:
    assert line("x", **{name: "s3cret"})[name] == HIDDEN


@pytest.mark.parametrize(
    "name", ["lk.pii.text", "lk.pii.arguments", "lk.pii.function_tool.output", "pii.tokens", "pii"]
)
def test_fields_that_a_framework_marks_as_somebodys_own_are_hidden(name: str) -> None:
    """livekit-agents logs all that is said, and what tools are asked, at the level DEBUG."""
    assert line("x", **{name: "my word"})[name] == HIDDEN


def test_a_name_that_has_the_mark_within_a_word_is_none() -> None:
    assert line("x", pipeline="p", piid="q")["piid"] == "q"


def test_secret_fields_are_hidden_deep_down() -> None:
    assert line("x", body={"list": [{"secret": "s3cret"}]})["body"] == {
        "list": [{"secret": HIDDEN}]
    }


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abcdefghijklmnop",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "redis://user:s3cret@host:6379",
        "ws://host/rtc?access_token=s3cret&x=1",
    ],
)
def test_the_shapes_of_secrets_are_hidden_in_text(text: str) -> None:
    shown = json.dumps(line(f"about {text}", note=text))
    assert HIDDEN in shown
    assert "s3cret" not in shown
    assert "abcdefghijklmnop" not in shown
    assert "c2lnbmF0dXJl" not in shown


def test_what_json_has_no_form_for_is_searched_too() -> None:
    shown = json.dumps(line("x", error=ValueError("redis://:s3cret@host"), raw=b"sk-s3cret-key-1"))
    assert "s3cret" not in shown


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["a", "eyJ", "eyJaaaaaaaa.", "a://b:", "bearer ", "token=", "sk-", ".", "a.", "://"]
)
def test_long_texts_cannot_stop_the_server(piece: str) -> None:
    """The searches are linear: quadratic ones took minutes for texts like these."""
    text = piece * (2_000_000 // len(piece))
    for shape, _ in redaction._SECRET_TEXT:
        shape.sub("", text)
    assert len(line(text, note=text)["message"]) < redaction.MAX_CHARS + 100


def test_counts_keep_their_figures() -> None:
    assert line("x", completion_tokens=12, token_ttl_s=120)["token_ttl_s"] == 120


def test_control_characters_cannot_forge_a_line() -> None:
    assert line("a\r\n{}\x1b[31m")["message"] == "a\r\n{}\x1b[31m"


def test_exceptions_are_part_of_the_line() -> None:
    try:
        raise ValueError("redis://:s3cret@host")
    except ValueError:
        fields = line("x", exc_info=sys.exc_info())
    assert "ValueError" in fields["exception"]
    assert "s3cret" not in fields["exception"]
