"""docs/supervisor.md names every loop with its file, and every metric."""

from __future__ import annotations

import inspect
import re
from contextlib import aclosing
from pathlib import Path

from pydantic import SecretStr

from rooms.client import open_rooms
from sessions.connection import Temper, connect
from sessions.store import SessionStore
from supervisor.settings import SupervisorSettings
from supervisor.supervisor import loops
from telemetry.meter import Meter
from telemetry.metrics import SUPERVISOR

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "supervisor.md").read_text(encoding="utf-8")


async def test_the_page_lists_the_loops_in_their_order() -> None:
    told = SecretStr("https://hooks.example.com/somebody")
    secret = SecretStr(f"whsec_{'a' * 32}")
    settings = SupervisorSettings(
        livekit_api_key="key",
        livekit_api_secret=SecretStr("s" * 32),
        alert_webhook_url=told,
        alert_webhook_secret=secret,
        event_webhook_url=told,
        event_webhook_secret=secret,
    )
    redis = connect(settings, Temper.HASTY)
    written = re.findall(r"^\| `([a-z ]+)` \| \[`(\w+\.py)`\]", PAGE, re.M)
    async with aclosing(redis), open_rooms(settings) as rooms:
        there = [
            (loop.name, Path(inspect.getfile(inspect.unwrap(loop.one_pass))).name)
            for loop in loops(settings, SessionStore(redis, settings), rooms, Meter(SUPERVISOR))
        ]
    assert written == there


async def test_where_nobody_is_to_be_told_nothing_looks() -> None:
    settings = SupervisorSettings(livekit_api_key="key", livekit_api_secret=SecretStr("s" * 32))
    redis = connect(settings, Temper.HASTY)
    async with aclosing(redis), open_rooms(settings) as rooms:
        store = SessionStore(redis, settings)
        names = [loop.name for loop in loops(settings, store, rooms, Meter(SUPERVISOR))]
    assert names
    assert not {"alarms", "session events"} & set(names)


def test_the_page_lists_the_metrics() -> None:
    assert set(re.findall(r"^\| `(voicefleet_\w+)` \|", PAGE, re.M)) == {
        metric.name for metric in SUPERVISOR
    }
