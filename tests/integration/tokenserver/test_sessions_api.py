"""Starting, following and stopping sessions over HTTP."""

from __future__ import annotations

import asyncio

import httpx2
import jwt
import pytest
from livekit import api, rtc

from tests.integration.tokenserver.conftest import ADMIN_KEY, CAPACITY, TokenServer, bearer
from tests.integration.tokenserver.joins import join_in_vain
from tests.support.servers import LiveKitServer
from tests.support.wait import eventually

Started = list[dict[str, str]]


async def start(http: httpx2.AsyncClient, started: Started) -> dict[str, str]:
    answer = await http.post("/api/session/start", json={"userId": "ada"})
    assert answer.status_code == 201, answer.text
    session: dict[str, str] = answer.json()
    started.append(session)
    return session


async def status_of(http: httpx2.AsyncClient, session: dict[str, str]) -> str:
    answer = await http.get(
        f"/api/session/{session['sessionId']}", headers=bearer(session["sessionSecret"])
    )
    assert answer.status_code == 200, answer.text
    status: str = answer.json()["status"]
    return status


async def test_start_answers_with_everything_a_client_needs(
    http: httpx2.AsyncClient, clean_slots: Started, livekit_server: LiveKitServer
) -> None:
    session = await start(http, clean_slots)
    assert session["status"] == "starting"
    assert session["serverUrl"] == livekit_server.url
    assert {"message", "prewarmed", "latencyMs", "sessionSecret", "roomName"} <= session.keys()


async def test_the_token_opens_one_room_for_two_minutes_and_grants_little(
    http: httpx2.AsyncClient, clean_slots: Started, livekit_server: LiveKitServer
) -> None:
    session = await start(http, clean_slots)
    claims = jwt.decode(
        session["participantToken"], livekit_server.api_secret, algorithms=["HS256"]
    )
    assert claims["exp"] - claims["nbf"] <= 120
    assert claims["video"] == {
        "roomJoin": True,
        "room": session["roomName"],
        "canPublish": True,
        "canPublishSources": ["microphone"],
        "canPublishData": True,
        "canSubscribe": True,
        "canUpdateOwnMetadata": False,
    }
    assert "roomConfig" not in claims


async def test_the_room_exists_and_its_agent_was_sent_for(
    http: httpx2.AsyncClient, clean_slots: Started, livekit_server: LiveKitServer
) -> None:
    session = await start(http, clean_slots)
    async with api.LiveKitAPI(
        livekit_server.http_url, livekit_server.api_key, livekit_server.api_secret
    ) as livekit:
        rooms = await livekit.room.list_rooms(api.ListRoomsRequest(names=[session["roomName"]]))
        assert [room.name for room in rooms.rooms] == [session["roomName"]]
        dispatches = await livekit.agent_dispatch.list_dispatch(session["roomName"])
    assert [dispatch.agent_name for dispatch in dispatches] == ["voicefleet"]
    assert session["sessionId"] in dispatches[0].metadata


async def test_a_body_is_optional_and_a_typo_is_not_ignored(
    http: httpx2.AsyncClient, clean_slots: Started
) -> None:
    answer = await http.post("/api/session/start")
    assert answer.status_code == 201
    clean_slots.append(answer.json())
    wrong = await http.post("/api/session/start", json={"userID": "ada"})
    assert wrong.status_code == 400
    assert "userID" in wrong.json()["error"]["message"]


async def test_stopping_is_idempotent_and_closes_the_room(
    http: httpx2.AsyncClient, clean_slots: Started, livekit_server: LiveKitServer
) -> None:
    session = await start(http, clean_slots)
    for _ in range(2):
        answer = await http.post(
            "/api/session/stop",
            json={"sessionId": session["sessionId"]},
            headers=bearer(session["sessionSecret"]),
        )
        assert answer.status_code == 200
        assert answer.json()["status"] == "ended"
    async with api.LiveKitAPI(
        livekit_server.http_url, livekit_server.api_key, livekit_server.api_secret
    ) as livekit:
        rooms = await livekit.room.list_rooms(api.ListRoomsRequest(names=[session["roomName"]]))
    assert list(rooms.rooms) == []


async def test_a_closing_page_can_stop_with_the_secret_in_the_body(
    http: httpx2.AsyncClient, clean_slots: Started
) -> None:
    session = await start(http, clean_slots)
    answer = await http.post(
        "/api/session/stop",
        json={"sessionId": session["sessionId"], "sessionSecret": session["sessionSecret"]},
    )
    assert answer.json()["status"] == "ended"


async def test_over_capacity_the_answer_is_429_and_a_freed_slot_is_given_again(
    http: httpx2.AsyncClient, clean_slots: Started
) -> None:
    asked = {"queue": False}
    answers = await asyncio.gather(
        *(http.post("/api/session/start", json=asked) for _ in range(CAPACITY + 5))
    )
    clean_slots.extend(answer.json() for answer in answers if answer.status_code == 201)
    assert len(clean_slots) == CAPACITY
    refused = [answer for answer in answers if answer.status_code != 201]
    assert {answer.status_code for answer in refused} == {429}
    assert refused[0].headers["Retry-After"] == "5"
    assert refused[0].json()["error"]["code"] == "at_capacity"
    await http.post("/api/session/stop", json=_proof(clean_slots[0]))
    await start(http, clean_slots)


@pytest.mark.parametrize("secret", ["", "wrong", "0" * 43])
async def test_without_the_secret_a_session_cannot_be_seen_or_stopped(
    http: httpx2.AsyncClient, clean_slots: Started, secret: str
) -> None:
    session = await start(http, clean_slots)
    expected = 404 if secret else 401
    path = f"/api/session/{session['sessionId']}"
    assert (await http.get(path, headers=bearer(secret))).status_code == expected
    stop = await http.post(
        "/api/session/stop", json={"sessionId": session["sessionId"]}, headers=bearer(secret)
    )
    assert stop.status_code == expected
    token = await http.post(
        "/api/token", json={"sessionId": session["sessionId"]}, headers=bearer(secret)
    )
    assert token.status_code == expected
    assert (await http.get(f"{path}?sessionSecret={session['sessionSecret']}")).status_code == 400
    assert await status_of(http, session) == "starting"


async def test_the_secret_of_one_session_opens_no_other(
    http: httpx2.AsyncClient, clean_slots: Started
) -> None:
    mine, yours = await start(http, clean_slots), await start(http, clean_slots)
    answer = await http.get(
        f"/api/session/{yours['sessionId']}", headers=bearer(mine["sessionSecret"])
    )
    assert answer.status_code == 404


async def test_an_admin_sees_every_session(http: httpx2.AsyncClient, clean_slots: Started) -> None:
    session = await start(http, clean_slots)
    path = f"/api/session/{session['sessionId']}"
    assert (await http.get(path, headers=bearer(ADMIN_KEY))).status_code == 200
    assert (await http.get(path, headers=bearer(ADMIN_KEY[:-1]))).status_code == 404


async def test_a_user_who_joins_and_a_room_that_ends_are_noticed(
    http: httpx2.AsyncClient, clean_slots: Started, livekit_server: LiveKitServer
) -> None:
    """1. The user joins: the webhook records it. 2. The room is closed by somebody else.

    Result: the session is over and its slot is free.
    """
    session = await start(http, clean_slots)
    room = rtc.Room()
    await room.connect(session["serverUrl"], session["participantToken"])
    try:

        async def joined() -> bool:
            path = f"/api/session/{session['sessionId']}"
            answer = await http.get(path, headers=bearer(session["sessionSecret"]))
            return answer.json()["joinedAt"] is not None

        await eventually(joined)
        async with api.LiveKitAPI(
            livekit_server.http_url, livekit_server.api_key, livekit_server.api_secret
        ) as livekit:
            await livekit.room.delete_room(api.DeleteRoomRequest(room=session["roomName"]))

        async def ended() -> bool:
            return await status_of(http, session) == "ended"

        await eventually(ended)
    finally:
        await room.disconnect()


async def test_a_token_that_outlived_its_session_opens_no_room(
    http: httpx2.AsyncClient, clean_slots: Started, tokenserver: TokenServer
) -> None:
    session = await start(http, clean_slots)
    await http.post("/api/session/stop", json=_proof(session))
    await join_in_vain(tokenserver, session["sessionId"], session["participantToken"])


async def test_rejoining_gets_the_same_identity_and_room(
    http: httpx2.AsyncClient, clean_slots: Started, livekit_server: LiveKitServer
) -> None:
    session = await start(http, clean_slots)
    answer = await http.post("/api/token", json=_proof(session))
    assert answer.status_code == 201
    first, second = (
        jwt.decode(token, livekit_server.api_secret, algorithms=["HS256"])
        for token in (session["participantToken"], answer.json()["participantToken"])
    )
    assert (first["sub"], first["video"]) == (second["sub"], second["video"])
    await http.post("/api/session/stop", json=_proof(session))
    assert (await http.post("/api/token", json=_proof(session))).status_code == 409


async def test_health_counts_what_is_there(http: httpx2.AsyncClient, clean_slots: Started) -> None:
    await start(http, clean_slots)
    health = (await http.get("/api/health")).json()
    assert health["success"]
    assert health["sessions"]["starting"] >= 1
    assert health["sessions"]["capacity"] == CAPACITY
    assert (health["redis"], health["livekit"]) == ("ok", "ok")
    assert (await http.get("/healthz")).json() == {"ok": True}


async def test_no_secret_reaches_the_log(
    http: httpx2.AsyncClient, clean_slots: Started, tokenserver: TokenServer
) -> None:
    session = await start(http, clean_slots)
    await http.get(f"/api/session/{session['sessionId']}", headers=bearer(session["sessionSecret"]))
    log = tokenserver.log.read_text()
    assert session["sessionId"] in log
    for secret in (session["sessionSecret"], session["participantToken"], ADMIN_KEY):
        assert secret not in log


def _proof(session: dict[str, str]) -> dict[str, str]:
    return {"sessionId": session["sessionId"], "sessionSecret": session["sessionSecret"]}
