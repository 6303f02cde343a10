"""Figures on their way: together, never in the way, and gone when nobody takes them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.figures import MAX_DATAGRAM_BYTES, FigureSender
from telemetry.metrics import CALLS, QUEUE_WAIT, TURN_DURATION, WATCHERS
from tests.support.wait import eventually


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(str(tmp_path / "figures"))
        inbox.setblocking(False)
        yield inbox


def received(inbox: socket.socket) -> list[list[object]]:
    """Return the datagrams that are there."""
    found: list[list[object]] = []
    while True:
        try:
            data = inbox.recv(65_536)
        except BlockingIOError:
            return found
        assert len(data) <= MAX_DATAGRAM_BYTES
        found.append(json.loads(data))


async def test_what_comes_together_travels_together(inbox: socket.socket) -> None:
    sender = FigureSender(inbox.getsockname())
    sender.count(CALLS, verdict="ended")
    sender.observe(QUEUE_WAIT, 1.5)

    async def has_come() -> list[list[object]]:
        return received(inbox)

    assert await eventually(has_come) == [
        [
            ["voicefleet_calls_total", 1, {"verdict": "ended"}],
            ["voicefleet_queue_wait_seconds", 1.5, {}],
        ]
    ]
    sender.close()


async def test_many_go_in_several_datagrams_and_none_is_lost(inbox: socket.socket) -> None:
    sender = FigureSender(inbox.getsockname())
    for number in range(100):
        sender.observe(TURN_DURATION, number / 8, stage="first_token")
    found: list[object] = []

    async def have_come() -> bool:
        # What the socket does not take at once is tried again.
        found.extend(row for datagram in received(inbox) for row in datagram)
        return len(found) == 100

    await eventually(have_come)
    values = [row[1] for row in found if isinstance(row, list)]
    assert values == [number / 8 for number in range(100)]
    sender.close()


async def test_without_a_worker_they_are_dropped(tmp_path: Path) -> None:
    sender = FigureSender(str(tmp_path / "nobody"))
    sender.count(CALLS, verdict="left")
    sender.flush()
    sender.close()


def test_at_the_end_of_a_process_no_loop_is_needed(inbox: socket.socket) -> None:
    sender = FigureSender(inbox.getsockname())
    sender.count(CALLS, verdict="failed")
    sender.close()
    assert received(inbox) == [[["voicefleet_calls_total", 1, {"verdict": "failed"}]]]


def test_a_metric_is_what_the_table_says(tmp_path: Path) -> None:
    sender = FigureSender(str(tmp_path / "nobody"))
    with pytest.raises(TypeError):
        sender.count(QUEUE_WAIT)
    for metric in (CALLS, WATCHERS):
        with pytest.raises(TypeError):
            sender.observe(metric, 1)
