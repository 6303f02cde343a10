"""The standard error of job processes becomes lines of the worker's log."""

from __future__ import annotations

import asyncio
import logging
import os

import pytest

from worker.host.errors_log import log_errors

_NATIVE = b"[2026-11-29T08:42:24Z WARN  livekit::rtc_engine] failed to connect, retrying... (3/3)\n"


async def logged(caplog: pytest.LogCaptureFixture, *pieces: bytes) -> list[logging.LogRecord]:
    """Return what is logged of these pieces, written one after the other."""
    caplog.set_level(logging.DEBUG, "livekit")
    out, into = os.pipe()
    reading = asyncio.create_task(log_errors(out))
    for piece in pieces:
        await asyncio.to_thread(os.write, into, piece)
    os.close(into)
    async with asyncio.timeout(10):
        await reading
    return [record for record in caplog.records if record.name == "livekit"]


async def test_the_librarys_lines_keep_their_level(caplog: pytest.LogCaptureFixture) -> None:
    (record,) = await logged(caplog, _NATIVE)
    assert record.levelno == logging.WARNING
    assert record.getMessage() == "livekit::rtc_engine - failed to connect, retrying... (3/3)"


async def test_whatever_else_is_said_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    records = await logged(caplog, b"thread panicked at src/lib.rs:1", b"2\n\nAborted")
    assert [vars(record)["line"] for record in records] == [
        "thread panicked at src/lib.rs:12",
        "Aborted",
    ]
    assert {record.levelno for record in records} == {logging.WARNING}


async def test_a_line_without_an_end_comes_in_pieces(caplog: pytest.LogCaptureFixture) -> None:
    records = await logged(caplog, b"x" * 10_000)
    assert len(records) >= 2
    assert "".join(vars(record)["line"] for record in records) == "x" * 10_000
    assert max(len(vars(record)["line"]) for record in records) <= 8_192


async def test_bytes_that_are_no_text_do_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    records = await logged(caplog, b"\xff\xfe broken\n", _NATIVE)
    assert len(records) == 2
