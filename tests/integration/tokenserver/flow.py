"""Steps that the tests of queue, events, replicas and shutdown share."""

from __future__ import annotations

from typing import Any

import httpx2
from livekit import api, rtc

from tests.support.replicas import ADMIN_KEY
from tests.support.servers import LiveKitServer
from tests.support.wait import eventually

#: A session, as start answered.
Session = dict[str, Any]


def proof(session: Session) -> dict[str, str]:
    return {"Authorization": f"Bearer {session['sessionSecret']}"}


async def start(http: httpx2.AsyncClient, status: int = 201, **body: object) -> Session:
    answer = await http.post("/api/session/start", json=body)
    assert answer.status_code == status, answer.text
    session: Session = answer.json()
    return session


async def look(http: httpx2.AsyncClient, session: Session, **query: float) -> dict[str, Any]:
    answer = await http.get(
        f"/api/session/{session['sessionId']}", params=query, headers=proof(session)
    )
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def stop(http: httpx2.AsyncClient, session: Session) -> None:
    answer = await http.post(
        "/api/session/stop", json={"sessionId": session["sessionId"]}, headers=proof(session)
    )
    assert answer.status_code == 200, answer.text


async def until_status(
    http: httpx2.AsyncClient, session: Session, *statuses: str, deadline_s: float = 30
) -> dict[str, Any]:
    async def reached() -> dict[str, Any] | None:
        view = await look(http, session)
        assert view["status"] in statuses, view
        return view

    view = await eventually(reached, deadline_s, interval_s=0.1)
    assert view is not None
    return view


async def dispatches_of(server: LiveKitServer, room: str) -> list[api.AgentDispatch]:
    """Return whom LiveKit was asked to send into a room; nobody where there is no room."""
    async with api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as livekit:
        # Asked about a room that is not there, LiveKit would think for 3 s.
        rooms = await livekit.room.list_rooms(api.ListRoomsRequest(names=[room]))
        return list(await livekit.agent_dispatch.list_dispatch(room)) if rooms.rooms else []


async def until_dispatched(server: LiveKitServer, room: str) -> list[api.AgentDispatch]:
    """Wait until an agent was sent for."""
    return await eventually(lambda: dispatches_of(server, room), 30, interval_s=0.1)


async def assert_opens(view: dict[str, Any]) -> None:
    """Join with the token of an answer."""
    room = rtc.Room()
    await room.connect(view["serverUrl"], view["participantToken"])
    try:
        assert room.name == view["roomName"]
    finally:
        await room.disconnect()


async def watchers(http: httpx2.AsyncClient) -> int:
    """Return how many long polls and streams of events a server has open."""
    answer = await http.get("/api/health", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    count: int = answer.json()["details"]["watchers"]
    return count


async def until_watched(http: httpx2.AsyncClient, count: int) -> None:
    """Wait until there are so many of them."""

    async def watched() -> bool:
        assert await watchers(http) == count
        return True

    await eventually(watched)
