"""Tokens to join with: our names, our agent, one room, little time, and nothing afterwards."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import jwt
import pytest
from livekit import api

from sessions.errors import SessionNotFound, SessionOver
from sessions.ids import SessionId, UserId
from sessions.model import Newcomer
from sessions.store import SessionStore
from tests.integration.tokenserver.conftest import TokenServer, bearer
from tests.integration.tokenserver.joins import join_in_vain
from tests.integration.tokenserver.test_sessions_api import Started, start
from tests.support.servers import LiveKitServer
from tests.support.wait import eventually

AGENT = {"agent_name": "voicefleet"}


async def post(http: httpx2.AsyncClient, path: str, body: object) -> httpx2.Response:
    return await http.post(
        path, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )


def claims_of(token: str, livekit: LiveKitServer) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, livekit.api_secret, algorithms=["HS256"])
    return claims


@asynccontextmanager
async def livekit_api(livekit: LiveKitServer) -> AsyncIterator[api.LiveKitAPI]:
    async with api.LiveKitAPI(livekit.http_url, livekit.api_key, livekit.api_secret) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/session/start", {"roomName": "vf-mine"}),
        ("/api/session/start", {"room_name": "mine"}),
        ("/api/session/start", {"identity": "agent-1"}),
        ("/api/session/start", {"userId": "unverified:ada"}),
        ("/api/session/start", {"sessionId": "0" * 32}),
        ("/api/token", {"room_name": "vf-" + "0" * 32}),
        ("/api/token", {"participant_identity": "agent-1"}),
        ("/api/token", {"participantIdentity": "AGENT-1"}),
        ("/api/token", {"participant_identity": "user-0123456789ab"}),
        ("/api/token", {"participant_identity": "lk-recorder"}),
    ],
    ids=str,
)
async def test_names_of_ours_cannot_be_asked_for(
    http: httpx2.AsyncClient, path: str, body: dict[str, str]
) -> None:
    """Attack 9: a room, an identity, or a prefix that is ours to give. 400."""
    answer = await post(http, path, body)
    assert answer.status_code == 400, answer.text


async def test_other_names_are_replaced_by_ours(
    http: httpx2.AsyncClient, livekit_server: LiveKitServer
) -> None:
    """Attack 9: harmless names, as LiveKit's clients send them. The token has ours instead."""
    body = {"room_name": "lobby", "participant_identity": "ada"}
    answer = (await post(http, "/api/token", body)).json()
    claims = claims_of(answer["participant_token"], livekit_server)
    assert claims["video"]["room"] == answer["roomName"] == f"vf-{answer['sessionId']}"
    assert claims["sub"].startswith("user-")


@pytest.mark.parametrize(
    "room_config",
    [
        {"agents": [{"agent_name": "another-agent"}]},
        {"agents": [AGENT] * 50},
        {"agents": [AGENT] * 2},
        {"agents": [AGENT | {"metadata": "x" * 4097}]},
        {"agents": [AGENT | {"deployment": "canary"}]},
        {"agents": [AGENT], "egress": {"room": {"file_outputs": [{"filepath": "x"}]}}},
        {"egress": {}},
        {"name": "lobby"},
        {"metadata": "x"},
        {"max_participants": 1000},
        {"empty_timeout": 86400},
        {"min_playout_delay": 1},
        {"tags": {"a": "b"}},
    ],
    ids=lambda config: f"{len(str(config))} {str(config)[:70]}",
)
@pytest.mark.parametrize("spelling", ["room_config", "roomConfig"])
async def test_a_room_has_our_agent_and_nothing_else(
    http: httpx2.AsyncClient, room_config: dict[str, Any], spelling: str
) -> None:
    """Attack 10: another agent, 50 agents, a recording, a room of other dimensions. 400."""
    answer = await post(http, "/api/token", {spelling: room_config})
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(
    "attributes",
    [
        {"lk.agent.state": "speaking"},
        {"lk.": ""},
        {"": "x"},
        {"plan": "x" * 257},
        {"x" * 65: "1"},
        {f"name-{n}": "1" for n in range(17)},
        {"plan": 1},
        {"plan": None},
    ],
    ids=lambda attributes: f"{len(str(attributes))} {str(attributes)[:40]}",
)
async def test_attributes_are_few_short_and_not_livekits(
    http: httpx2.AsyncClient, attributes: dict[str, Any]
) -> None:
    """Attack 11: attributes that are LiveKit's own, too many, too long, or no text. 400."""
    answer = await post(http, "/api/token", {"participant_attributes": attributes})
    assert answer.status_code == 400, answer.text


async def test_an_attribute_of_64_kib_is_not_even_read(http: httpx2.AsyncClient) -> None:
    """Attack 11: a value of 64 KiB. 413."""
    answer = await post(http, "/api/token", {"participant_attributes": {"plan": "x" * 65_536}})
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/api/session/start", "/api/token"])
async def test_a_token_grants_one_room_and_little_time(
    http: httpx2.AsyncClient, clean_slots: Started, livekit_server: LiveKitServer, path: str
) -> None:
    """Attack 12: what does a token allow? To join one room, speak, listen, chat; for two minutes.

    Nothing of an admin, and nothing else in it but the agent that the join sends for.
    """
    answer = await http.post(path)
    if path == "/api/session/start":
        clean_slots.append(answer.json())
    claims = claims_of(answer.json()["participantToken"], livekit_server)
    assert claims["exp"] - claims["nbf"] <= 120
    assert claims["video"] == {
        "roomJoin": True,
        "room": answer.json()["roomName"],
        "canPublish": True,
        "canPublishSources": ["microphone"],
        "canPublishData": True,
        "canSubscribe": True,
        "canUpdateOwnMetadata": False,
    }
    known = {"video", "sub", "iss", "nbf", "exp", "name", "metadata", "attributes"}
    if path == "/api/token":
        known.add("roomConfig")
        assert claims["roomConfig"].keys() <= {"agents", "emptyTimeout", "departureTimeout"}
        (agent,) = claims["roomConfig"]["agents"]
        assert agent["agentName"] == "voicefleet"
    assert {name for name, value in claims.items() if value} <= known
    assert "sip" not in claims or not claims["sip"]


async def test_a_token_outlives_its_session_in_vain(
    http: httpx2.AsyncClient,
    clean_slots: Started,
    tokenserver: TokenServer,
    livekit_server: LiveKitServer,
) -> None:
    """Attack 13: joining with the token of a session that was stopped.

    LiveKit opens the room again, and it is closed at once: the user is out, no agent was sent for,
    no slot is taken, and no other token is to be had.
    """
    session = await start(http, clean_slots)
    proof = {"sessionId": session["sessionId"], "sessionSecret": session["sessionSecret"]}
    assert (await http.post("/api/session/stop", json=proof)).json()["status"] == "ended"
    before = (await http.get("/api/health")).json()["sessions"]
    # LiveKit sends nobody by itself: an agent comes if the token, or the room, asks for one.
    assert "roomConfig" not in claims_of(session["participantToken"], livekit_server)
    await join_in_vain(tokenserver, session["sessionId"], session["participantToken"])
    async with livekit_api(livekit_server) as livekit:
        await eventually(lambda: _is_gone(livekit, session["roomName"]))
    assert (await http.get("/api/health")).json()["sessions"] == before
    view = await http.get(
        f"/api/session/{session['sessionId']}", headers=bearer(session["sessionSecret"])
    )
    assert (view.json()["status"], view.json()["participantToken"]) == ("ended", None)
    assert (await http.post("/api/token", json=proof)).status_code == 409


async def test_a_standard_token_outlives_its_session_in_vain(
    http: httpx2.AsyncClient,
    store: SessionStore,
    tokenserver: TokenServer,
    livekit_server: LiveKitServer,
) -> None:
    """Attack 13: the same with a token of LiveKit's standard endpoint, which sends for an agent.

    Its session was admitted, by the agent that came first, and is over. The room is closed at
    once; the session stays over, and no slot is taken.
    """
    answer = (await http.post("/api/token")).json()
    session_id = SessionId(answer["sessionId"])
    newcomer = Newcomer(id=session_id, user_id=None, identity="user-1")
    await store.admit(newcomer)
    await store.end(session_id)
    await store.mark_closed(session_id)
    before = (await http.get("/api/health")).json()["sessions"]
    await join_in_vain(tokenserver, session_id, answer["participant_token"])
    async with livekit_api(livekit_server) as livekit:
        await eventually(lambda: _is_gone(livekit, answer["roomName"]))
    assert (await store.get(session_id)).is_over
    assert (await http.get("/api/health")).json()["sessions"] == before


async def test_a_token_outlives_its_forgotten_user_in_vain(
    http: httpx2.AsyncClient,
    store: SessionStore,
    tokenserver: TokenServer,
    livekit_server: LiveKitServer,
) -> None:
    """Attack 13: the same after the user was forgotten, and no record of the session is left.

    The room is closed at once. The agent that the token sends for begins no session.
    """
    answer = (await http.post("/api/token")).json()
    session_id, user = SessionId(answer["sessionId"]), UserId(f"user-{answer['sessionId']}")
    newcomer = Newcomer(id=session_id, user_id=user, identity="user-1")
    await store.admit(newcomer)
    assert await store.conversations.forget(user) == [session_id]
    await store.mark_closed(session_id)
    await join_in_vain(tokenserver, session_id, answer["participant_token"])
    async with livekit_api(livekit_server) as livekit:
        await eventually(lambda: _is_gone(livekit, answer["roomName"]))
    with pytest.raises(SessionOver):
        await store.admit(newcomer)
    with pytest.raises(SessionNotFound):
        await store.get(session_id)


async def _is_gone(livekit: api.LiveKitAPI, room: str) -> bool:
    rooms = await livekit.room.list_rooms(api.ListRoomsRequest(names=[room]))
    return not rooms.rooms
