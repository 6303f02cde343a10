"""Logs, identities and the small parsers around processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devstack.logs import last_lines, rotate, tail
from devstack.services.identity import ProcessId, start_token
from devstack.services.network import has_usable_interface
from devstack.services.readiness import http_ok, redis_ping, verdict
from devstack.services.stack import BIND_FAILED


def test_tail(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert tail(log) == ""
    log.write_text("one\ntwo\nthree\n")
    assert tail(log, 2) == "two\nthree"
    assert last_lines("") == ""


def test_one_old_log_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "a.log"
    for text in ("first", "second"):
        rotate(log)
        log.write_text(text)
    assert log.with_name("a.log.1").read_text() == "first"


def test_a_pid_alone_is_no_identity() -> None:
    me = ProcessId.of(os.getpid())
    assert me.is_alive()
    assert ProcessId.from_json(me.as_json()) == me
    assert not ProcessId(me.pid, "another time").is_alive()
    assert start_token(2**22 + 1) is None


@pytest.mark.parametrize("value", [None, [], [1], ["1", "x"], {"pid": 1}])
def test_what_is_no_identity(value: object) -> None:
    assert ProcessId.from_json(value) is None


@pytest.mark.parametrize(
    "line",
    [
        "listen tcp 127.0.0.1:7880: bind: address already in use",
        "# Warning: Could not create server TCP listening socket 127.0.0.1:6379: bind: Address …",
        "[Errno 98] error while attempting to bind on address ('127.0.0.1', 8080)",
        "OSError: [Errno 98] Address already in use",
    ],
)
def test_how_servers_say_that_a_port_is_taken(line: str) -> None:
    assert BIND_FAILED.search(line)


async def test_verdict_on_nobody() -> None:
    assert await verdict(http_ok("http://127.0.0.1:1/readyz")) == "nobody listens"
    assert await verdict(redis_ping(1)) == "nobody listens"


def test_this_machine_has_a_network_or_not() -> None:
    assert has_usable_interface() in {True, False}
