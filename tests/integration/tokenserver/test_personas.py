"""A client chooses a persona among those that are offered; the choice goes wherever agents go."""

from __future__ import annotations

import json
import secrets
from typing import Any

import httpx2
import jwt
import pytest
from livekit import api

from sessions.assignment import Assignment
from tests.integration.tokenserver.conftest import bearer
from tests.support.servers import LiveKitServer
from voicefleet_client import Voicefleet

Started = list[dict[str, str]]


async def sent_with(server: LiveKitServer, room: str) -> Assignment:
    """Return what the agent of a room was sent with."""
    async with api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as livekit:
        (dispatch,) = await livekit.agent_dispatch.list_dispatch(room)
    assignment = Assignment.from_metadata(dispatch.metadata)
    assert assignment is not None
    return assignment


@pytest.mark.parametrize("persona", ["interviewer", "assistant", None])
async def test_the_choice_is_sent_with_the_agent_and_shown(
    http: httpx2.AsyncClient,
    clean_slots: Started,
    livekit_server: LiveKitServer,
    persona: str | None,
) -> None:
    body = {} if persona is None else {"persona": persona}
    answer = await http.post("/api/session/start", json=body)
    assert answer.status_code == 201, answer.text
    session = answer.json()
    clean_slots.append(session)
    assert (await sent_with(livekit_server, session["roomName"])).persona == persona
    seen = await http.get(
        f"/api/session/{session['sessionId']}", headers=bearer(session["sessionSecret"])
    )
    assert seen.json()["persona"] == persona


@pytest.mark.parametrize(
    ("persona", "code"),
    [
        ("ghost", "unknown_persona"),
        ("Interviewer", "bad_request"),
        ("../secrets", "bad_request"),
        ("x" * 65, "bad_request"),
        (["interviewer"], "bad_request"),
    ],
)
@pytest.mark.parametrize("path", ["/api/session/start", "/api/token"])
async def test_nobody_else_can_be_chosen(
    http: httpx2.AsyncClient, path: str, persona: object, code: str
) -> None:
    answer = await http.post(path, json={"persona": persona})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == code


def asked_by(metadata: str) -> dict[str, Any]:
    return {"room_config": {"agents": [{"metadata": metadata}]}}


@pytest.mark.parametrize(
    ("body", "persona"),
    [
        ({"persona": "interviewer"}, "interviewer"),
        (asked_by('{"persona": "interviewer"}'), "interviewer"),
        ({"persona": "assistant", **asked_by('{"persona": "interviewer"}')}, "assistant"),
        (asked_by('{"persona": 5}'), None),
        (asked_by('{"mood": "good"}'), None),
        (asked_by("[" * 4000), None),
        (asked_by("m"), None),
    ],
)
async def test_a_standard_token_carries_the_choice(
    http: httpx2.AsyncClient,
    livekit_server: LiveKitServer,
    body: dict[str, Any],
    persona: str | None,
) -> None:
    answer = await http.post("/api/token", json=body)
    assert answer.status_code == 201, answer.text
    claims = jwt.decode(
        answer.json()["participant_token"], livekit_server.api_secret, algorithms=["HS256"]
    )
    (agent,) = claims["roomConfig"]["agents"]
    assert json.loads(agent["metadata"])["persona"] == persona


async def test_metadata_cannot_name_somebody_who_is_not_offered(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/api/token", json=asked_by('{"persona": "ghost"}'))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_persona")


async def test_another_persona_is_another_start(
    http: httpx2.AsyncClient, clean_slots: Started
) -> None:
    key = {"Idempotency-Key": secrets.token_hex(16)}
    first = await http.post("/api/session/start", json={}, headers=key)
    clean_slots.append(first.json())
    again = await http.post("/api/session/start", json={}, headers=key)
    assert again.json()["sessionId"] == first.json()["sessionId"]
    other = await http.post("/api/session/start", json={"persona": "interviewer"}, headers=key)
    assert other.json()["error"]["code"] == "idempotency_conflict"


async def test_the_client_can_choose(
    http: httpx2.AsyncClient, clean_slots: Started, livekit_server: LiveKitServer
) -> None:
    async with Voicefleet(str(http.base_url), http=http) as fleet:
        session = await fleet.start(persona="interviewer")
        clean_slots.append({"sessionId": session.id, "sessionSecret": session.secret or ""})
        view = await session.view()
        assert (view.persona, view.reason) == ("interviewer", None)
        assert (await sent_with(livekit_server, view.room_name)).persona == "interviewer"
