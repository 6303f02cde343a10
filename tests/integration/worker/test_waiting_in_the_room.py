"""Over capacity with LiveKit's standard token: the user waits in the room, and is served there.

A real worker admits, real webhooks tell who leaves, and a real user hears the agent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from livekit import api

from devstack.talk.caller import Caller
from tests.integration.worker.fleet import CALL_S, Fleet
from tests.support.replicas import Replicas
from tests.support.servers import LiveKitServer
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(300)

#: On a busy machine an agent may take its time.
SERVED_S = 90.0


@dataclass
class House:
    """One slot, one token server, one worker."""

    http: httpx2.AsyncClient
    livekit: api.LiveKitAPI

    async def start(self, status: int = 201) -> dict[str, Any]:
        answer = await self.http.post("/api/session/start")
        assert answer.status_code == status, answer.text
        session: dict[str, Any] = answer.json()
        return session

    async def token(self) -> dict[str, Any]:
        """Fetch a standard token; nothing happens until somebody joins with it."""
        answer = await self.http.post("/api/token", json={})
        assert answer.status_code == 201, answer.text
        token: dict[str, Any] = answer.json()
        return token

    async def look(self, session: dict[str, Any]) -> dict[str, Any]:
        answer = await self.http.get(
            f"/api/session/{session['sessionId']}",
            headers={"Authorization": f"Bearer {session['sessionSecret']}"},
        )
        view: dict[str, Any] = answer.json()
        return view

    async def stop(self, session: dict[str, Any]) -> None:
        body = {name: session[name] for name in ("sessionId", "sessionSecret")}
        assert (await self.http.post("/api/session/stop", json=body)).status_code == 200

    async def until(self, session: dict[str, Any], *statuses: str) -> dict[str, Any]:
        async def reached() -> bool:
            assert (await self.look(session)).get("status") in statuses
            return True

        await eventually(reached, SERVED_S, interval_s=0.2)
        return await self.look(session)

    async def agents_in(self, session: dict[str, Any]) -> int:
        request = api.ListParticipantsRequest(room=session["roomName"])
        found = (await self.livekit.room.list_participants(request)).participants
        return sum(one.kind == api.ParticipantInfo.Kind.AGENT for one in found)


async def open_house(
    replicas: Replicas, fleet: Fleet, server: LiveKitServer, **changes: str
) -> House:
    shared = {
        "AGENT_LEASE_S": "10",
        "CLAIM_DEADLINE_S": "30",
        # Nobody who waits in a room asks for anything, so a ticket would lapse soon.
        "TICKET_TTL_S": "2",
        "ROOM_DEPARTURE_TIMEOUT_S": "1",
    } | changes
    names = {name: replicas.env[name] for name in ("REDIS_PREFIX", "AGENT_NAME", "MAX_SESSIONS")}
    running = await replicas.start(server.webhook_port, **shared)
    worker = await fleet.start_worker(until_ready=True, **names | shared)
    await worker.until_idle()
    return House(await replicas.http(running), fleet.livekit)


async def test_who_waits_in_the_room_is_served_there(
    replicas: Replicas, fleet: Fleet, livekit_server: LiveKitServer
) -> None:
    """1. One talks. 2. Another one joins with a standard token. 3. The first one leaves.

    Result: the second one sees the place in line in the metadata of the room, keeps it without
    asking, and is greeted there.
    """
    house = await open_house(replicas, fleet, livekit_server)
    first, second = await house.start(), await house.token()
    async with _caller(second) as waiting:
        async with _caller(first) as talking:
            await talking.wait_greeting(CALL_S)
            queued = await _until_told(waiting, "queued")
            assert queued == {"status": "queued", "position": 1, "etaSeconds": None}
            assert (await house.until(second, "queued"))["joinedAt"] is not None

            async def is_alone() -> bool:
                return await house.agents_in(second) == 0

            # The agent that the token had sent for saw that there is no slot.
            await eventually(is_alone, CALL_S)
            # Several times as long as a ticket is good.
            await _while_queued(waiting, 6)
            assert waiting.hearing.first_loud_at is None
        assert await _until_told(waiting, "starting") == {"status": "starting"}
        greeting = await waiting.wait_greeting(SERVED_S)
        assert greeting.text == "Hello! How can I help you?"
        assert waiting.log.ended_because is None
        assert await house.agents_in(second) == 1
        await house.until(second, "active")
    await house.until(second, "ended")
    await house.until(first, "ended")


async def test_who_leaves_gives_up_the_place(
    replicas: Replicas, fleet: Fleet, livekit_server: LiveKitServer
) -> None:
    house = await open_house(replicas, fleet, livekit_server, QUEUE_LIMIT="1")
    talking, joining = await house.start(), await house.token()
    async with _caller(joining) as waiting:
        await _until_told(waiting, "queued")
        assert (await house.start(429))["error"]["code"] == "queue_full"
    await house.until(joining, "ended")
    assert (await house.start(202))["queue"]["position"] == 1
    assert (await house.look(talking))["status"] in {"starting", "ready"}


async def test_without_a_line_the_room_is_closed_at_once(
    replicas: Replicas, fleet: Fleet, livekit_server: LiveKitServer
) -> None:
    house = await open_house(replicas, fleet, livekit_server, QUEUE_LIMIT="0")
    await house.start()
    async with _caller(await house.token()) as waiting:
        assert await waiting.wait_ended(CALL_S) == "ROOM_DELETED"


async def test_in_the_room_or_not_first_come_first_served(
    replicas: Replicas, fleet: Fleet, livekit_server: LiveKitServer
) -> None:
    """1. One has the slot. 2. One asks and waits. 3. One joins and waits. 4. One asks and waits.

    Result: they are served in this order.
    """
    house = await open_house(replicas, fleet, livekit_server, TICKET_TTL_S="120")
    talking, asking, joining = await house.start(), await house.start(202), await house.token()
    async with _caller(joining) as waiting:
        assert (await _until_told(waiting, "queued"))["position"] == 2
        late = await house.start(202)
        assert late["queue"]["position"] == 3
        await house.stop(talking)
        await house.until(asking, "starting", "ready")
        await _until_position(waiting, 1)
        await house.stop(asking)
        await waiting.wait_greeting(SERVED_S)
        assert (await house.look(late))["queue"]["position"] == 1
        await house.stop(joining)
        assert await waiting.wait_ended(CALL_S) == "ROOM_DELETED"
    await house.until(late, "starting", "ready")


def _caller(session: dict[str, Any]) -> Caller:
    return Caller(session["serverUrl"], session["participantToken"])


def _told(caller: Caller) -> dict[str, Any]:
    """Return what the room's metadata says of us."""
    told: dict[str, Any] = json.loads(caller.room.metadata or "{}").get("voicefleet", {})
    return told


async def _until_told(caller: Caller, status: str) -> dict[str, Any]:
    async def is_told() -> bool:
        assert caller.log.ended_because is None
        assert _told(caller).get("status") == status, _told(caller)
        return True

    await eventually(is_told, SERVED_S)
    return _told(caller)


async def _until_position(caller: Caller, position: int) -> None:
    async def is_told() -> bool:
        assert _told(caller).get("position") == position, _told(caller)
        return True

    await eventually(is_told, CALL_S)


async def _while_queued(caller: Caller, time_s: float) -> None:
    """See for a while that nothing changes."""

    async def is_over() -> bool:
        assert caller.log.ended_because is None
        return _told(caller).get("status") != "queued"

    with pytest.raises(AssertionError, match="not within"):
        await eventually(is_over, time_s, interval_s=0.2)
