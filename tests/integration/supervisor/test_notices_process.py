"""Two supervisors in processes of their own tell a receiver: one is killed in the middle."""

from __future__ import annotations

import asyncio
import json
import signal

from sessions.store import SessionStore
from tests.integration.supervisor.conftest import MakeStore
from tests.integration.supervisor.test_process import READY_S, Process, Start
from tests.integration.supervisor.test_process import start as start  # noqa: PLC0414 - a fixture
from tests.integration.supervisor.test_session_events import begin
from tests.support.notices import NETWORKS, SECRET, told
from tests.support.odd_server import Asked, says
from tests.support.receiver import Receiver, receiving
from tests.support.wait import eventually

SESSIONS = 30
#: The receiver hangs from then on, until the leader is gone.
TAKEN = 10


def environment(receiver: Receiver) -> dict[str, str]:
    return {
        "ALERT_WEBHOOK_URL": receiver.url,
        "ALERT_WEBHOOK_SECRET": SECRET,
        "ALERT_INTERVAL_S": "0.2",
        "ALERT_FOR_S": "0",
        "EVENT_WEBHOOK_URL": receiver.url,
        "EVENT_WEBHOOK_SECRET": SECRET,
        "WEBHOOK_NETWORKS": json.dumps(NETWORKS),
    }


async def leading(one: Process) -> None:
    async def leads() -> bool:
        return bool(one.lines("leads the supervision"))

    await eventually(leads, READY_S)


async def test_nothing_is_lost_and_no_alert_comes_twice(
    start: Start, make_store: MakeStore
) -> None:
    """1. A supervisor leads; there is no worker, of which it tells. 2. Many sessions begin; the
    receiver takes some of the events, and then hangs. 3. The leader is killed, and the receiver is
    well. 4. Another one leads.

    Result: one alert. Each session is told of; what came twice has the same id. The logs have
    neither the URL nor the secret.
    """
    store: SessionStore = make_store(max_sessions=100)
    gate = asyncio.Event()
    async with receiving() as receiver:
        killed = await start(**environment(receiver))
        await leading(killed)
        await eventually(lambda: _are(_alerts(receiver), 1), READY_S)

        async def hangs_at_last(post: Asked, writer: asyncio.StreamWriter) -> None:
            if len(receiver.posts) > TAKEN:
                await gate.wait()
            await says(200)(post, writer)

        receiver.answer = hangs_at_last
        begun = {await begin(store, user=None) for _ in range(SESSIONS)}
        await eventually(lambda: _are(len(receiver.posts) > TAKEN, True), READY_S)
        heir = await start(**environment(receiver))
        killed.process.send_signal(signal.SIGKILL)
        receiver.answer = says(200)
        gate.set()
        await leading(heir)
        await eventually(lambda: _are(_started(receiver), begun), READY_S)
        assert _alerts(receiver) == 1
    ids = {one["id"] for one in told(receiver)}
    assert len(ids) == SESSIONS + 1
    for one in (killed, heir):
        assert "s3cret-path" not in one.told
        assert SECRET.removeprefix("whsec_") not in one.told


async def _are(found: object, expected: object) -> bool:
    return found == expected


def _alerts(receiver: Receiver) -> int:
    found = [one for one in told(receiver) if one["type"].startswith("alert.")]
    assert {one["data"]["code"] for one in found} <= {"no_worker"}
    return len(found)


def _started(receiver: Receiver) -> set[str]:
    return {one["data"]["sessionId"] for one in told(receiver) if one["type"] == "session.started"}
