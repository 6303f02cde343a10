"""More callers than slots: a real token server, worker, LiveKit, Redis and speech models.

A caller with LiveKit's standard token waits in the room; one of the API's waits by asking.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from devstack.talk.caller import Caller
from sessions.ids import SessionId
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.worker.api import serving_api
from tests.integration.worker.fleet import CALL_S, Fleet
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)

#: One slot, one who may wait; and this machine may be slow.
LIMITS = {
    "MAX_SESSIONS": "1",
    "QUEUE_LIMIT": "1",
    "CLAIM_DEADLINE_S": "30",
    "START_LEASE_S": "90",
    "ROOM_DEPARTURE_TIMEOUT_S": "1",
}


@dataclass
class Api:
    """The token server of these tests, where LiveKit sends its webhooks."""

    http: httpx2.AsyncClient
    store: SessionStore

    async def standard_token(self) -> dict[str, Any]:
        """Fetch what LiveKit's SDKs fetch."""
        return await self._post("/api/token", {})

    async def start(self) -> dict[str, Any]:
        return await self._post("/api/session/start", {})

    async def stop(self, caller: dict[str, Any]) -> None:
        proof = {name: caller[name] for name in ("sessionId", "sessionSecret")}
        await self._post("/api/session/stop", proof)

    async def look(self, caller: dict[str, Any]) -> dict[str, Any]:
        bearer = {"Authorization": f"Bearer {caller['sessionSecret']}"}
        answer = await self.http.get(f"/api/session/{caller['sessionId']}", headers=bearer)
        return dict(answer.raise_for_status().json())

    async def until(self, caller: dict[str, Any], *states: State) -> None:
        async def reached() -> bool:
            return (await self.store.get(SessionId(caller["sessionId"]))).status in states

        await eventually(reached, CALL_S, message=f"state {states}")

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.http.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return dict(answer.json())


@pytest.fixture
async def api(fleet: Fleet, store: SessionStore, tmp_path: Path) -> AsyncIterator[Api]:
    # Two warm processes: who has to wait takes one for a moment.
    await fleet.start_worker(until_ready=True, **LIMITS, POOL_SIZE="2")
    async with serving_api(fleet, tmp_path / "tokenserver.log", LIMITS) as http:
        yield Api(http, store)


def told(caller: Caller) -> dict[str, Any] | None:
    """Return what the room tells its user."""
    text = caller.room.metadata
    return json.loads(text)["voicefleet"] if text else None


async def until_told(caller: Caller, status: str) -> dict[str, Any]:
    async def is_told() -> dict[str, Any] | None:
        note = told(caller)
        return note if note is not None and note["status"] == status else None

    note = await eventually(is_told, CALL_S, message=status)
    assert note is not None
    return note


def join(token: dict[str, Any]) -> Caller:
    return Caller(token["serverUrl"], token["participantToken"])


async def test_who_joins_over_capacity_waits_in_the_room_for_an_agent(api: Api) -> None:
    """1. Somebody talks. 2. Another joins with a standard token: no slot is left. 3. A third joins:
    the line is full. 4. The first call is stopped.

    Result: the second sees the place in line and no agent; stays in the room, and is greeted. The
    third is put out at once.
    """
    first, second, third = [await api.standard_token() for _ in range(3)]
    async with join(first) as talking:
        await talking.wait_greeting(CALL_S)
        async with join(second) as waiting:
            note = await until_told(waiting, "queued")
            assert note["position"] == 1
            assert (await api.look(second))["queue"]["position"] == 1
            async with join(third) as refused:
                assert await refused.wait_ended(CALL_S) == "ROOM_DELETED"
            assert waiting.log.moments.agent_joined_at is None
            await api.stop(first)
            assert (await waiting.wait_greeting(CALL_S)).text == "Hello! How can I help you?"
            assert await until_told(waiting, "active") == {"status": "active"}
            assert waiting.log.ended_because is None
    await api.until(second, State.ENDED)


async def test_who_waits_by_asking_gets_an_agent_when_an_agent_ends_its_call(api: Api) -> None:
    """1. Somebody talks. 2. Another is queued by the API. 3. The first leaves: the agent's own
    process ends that session.

    Result: the second is admitted, an agent is sent; the token is in the next answer.
    """
    first = await api.start()
    assert first["status"] == "starting", first
    async with join(first) as talking:
        await talking.wait_greeting(CALL_S)
        second = await api.start()
        assert (second["status"], second["queue"]["position"]) == ("queued", 1)

    async def is_ready() -> dict[str, Any] | None:
        seen = await api.look(second)
        return seen if seen["status"] == "ready" else None

    ready = await eventually(is_ready, CALL_S)
    assert ready is not None
    assert "serverUrl" in ready, ready
    async with join(ready) as caller:
        await caller.wait_greeting(CALL_S)
    await api.until(first, State.ENDED)


async def test_who_leaves_while_waiting_gives_up_the_place(api: Api) -> None:
    """The next in line does not wait for somebody who is not there any more."""
    first, second, third = [await api.standard_token() for _ in range(3)]
    async with join(first) as talking:
        await talking.wait_greeting(CALL_S)
        async with join(second) as waiting:
            await until_told(waiting, "queued")
        await api.until(second, State.ENDED)
        async with join(third) as waiting:
            assert (await until_told(waiting, "queued"))["position"] == 1
            await api.stop(first)
            await waiting.wait_greeting(CALL_S)
    # The only slot is free for the next test.
    await api.until(third, State.ENDED)
