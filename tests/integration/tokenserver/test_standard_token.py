"""LiveKit's standard token endpoint: starter apps work, and ask for nothing they may not have."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import jwt
import pytest

from tests.support.servers import LiveKitServer

#: The bodies that livekit-client 2.23's TokenSource.endpoint sends, and what those of Swift 2.12,
#: Android 2.25 and Flutter 2.9 make by their sources: without options the first two have a
#: `room_config` all the same.
SDK_BODIES: list[dict[str, Any]] = [
    {},
    {"room_config": {}},
    {"room_config": {"agents": [{"agent_name": "voicefleet"}]}},
    {
        "room_config": {
            "agents": [{"agent_name": "voicefleet", "metadata": '{"persona": "assistant"}'}]
        }
    },
    {"room_config": {"agents": [{}]}},
    {
        "room_name": "r1",
        "participant_name": "Ada",
        "participant_identity": "me",
        "participant_metadata": "{}",
        "participant_attributes": {"plan": "pro"},
        "room_config": {"agents": [{"agent_name": "voicefleet", "metadata": "m"}]},
    },
    {"roomName": "r1", "participantName": "Ada", "roomConfig": {"agents": []}},
]

REFUSED: list[dict[str, Any]] = [
    {"room_config": {"egress": {"room": {}}}},
    {"room_config": {"agents": [{"agent_name": "somebody-else"}]}},
    {"room_config": {"agents": [{}, {}]}},
    {"room_config": "agents"},
    {"room_config": {"max_participants": 100}},
    {"participant_attributes": {"lk.agent.state": "listening"}},
    {"participant_attributes": {"a": "x" * 257}},
    {"participant_name": "x" * 129},
    {"participant_name": "\ud800"},
    {"grants": {"roomAdmin": True}},
    {"participant_identity": "agent-me"},
    {"participant_identity": "user-0123456789ab"},
    {"room_name": "vf-0123456789abcdef0123456789abcdef"},
]


@pytest.mark.parametrize("body", SDK_BODIES)
async def test_what_sdks_send_is_answered(
    http: httpx2.AsyncClient, livekit_server: LiveKitServer, body: dict[str, Any]
) -> None:
    answer = await http.post("/api/token", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["server_url"] == livekit_server.url
    claims = jwt.decode(
        answer.json()["participant_token"], livekit_server.api_secret, algorithms=["HS256"]
    )
    assert claims["sub"].startswith("user-")
    assert claims["video"]["room"].startswith("vf-")
    (agent,) = claims["roomConfig"]["agents"]
    assert agent["agentName"] == "voicefleet"
    assert json.loads(agent["metadata"])["admit_on_start"] is True
    assert answer.json()["sessionSecret"] not in agent["metadata"]


@pytest.mark.parametrize("body", REFUSED, ids=lambda body: str(body)[:40])
async def test_what_a_client_may_not_set_is_refused(
    http: httpx2.AsyncClient, body: dict[str, Any]
) -> None:
    answer = await http.post(
        "/api/token",
        content=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] in {"bad_request", "unknown_agent"}


async def test_each_token_is_for_a_fresh_room_and_takes_no_slot(http: httpx2.AsyncClient) -> None:
    before = (await http.get("/api/health")).json()["sessions"]
    rooms = {(await http.post("/api/token", json={})).json()["roomName"] for _ in range(10)}
    assert len(rooms) == 10
    assert (await http.get("/api/health")).json()["sessions"] == before
