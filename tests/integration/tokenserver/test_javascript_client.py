"""LiveKit's own JavaScript client, unmodified, fetches tokens from `POST /api/token`."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import jwt
import pytest

from tests.integration.tokenserver.conftest import TokenServer
from tests.support.web import Scripts

EVERYTHING = {
    "roomName": "a-room-of-mine",
    "participantName": "Ada",
    "participantIdentity": "somebody-else",
    "participantMetadata": '{"theme": "dark"}',
    "participantAttributes": {"plan": "pro"},
    "agentName": "voicefleet",
    "agentMetadata": '{"topic": "bread"}',
}

#: What an app may pass, and which claims it leads to beside those that all have.
OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "our agent": ({"agentName": "voicefleet"}, {}),
    "an unnamed agent": ({"agentName": ""}, {}),
    "a name": ({"participantName": "Ada"}, {"name": "Ada"}),
    "metadata": ({"participantMetadata": "m"}, {"metadata": "m"}),
    "attributes": ({"participantAttributes": {"a": "b"}}, {"attributes": {"a": "b"}}),
    "metadata for the agent": ({"agentMetadata": "m"}, {}),
    "everything": (
        EVERYTHING,
        {"name": "Ada", "metadata": '{"theme": "dark"}', "attributes": {"plan": "pro"}},
    ),
}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another agent": ({"agentName": "somebody-else"}, "unknown_agent"),
    "a deployment": ({"agentName": "voicefleet", "deployment": "blue"}, "bad_request"),
    "LiveKit's own attribute": (
        {"participantAttributes": {"lk.agent.state": "listening"}},
        "bad_request",
    ),
    "metadata without end": ({"participantMetadata": "x" * 4097}, "bad_request"),
}


@pytest.fixture
def url(tokenserver: TokenServer) -> str:
    return f"{tokenserver.url}/api/token"


@pytest.mark.parametrize(("options", "expected"), OPTIONS.values(), ids=OPTIONS)
def test_what_an_app_passes_leads_to_a_token(
    scripts: Scripts,
    tokenserver: TokenServer,
    url: str,
    options: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    (outcome,) = scripts.fetch_tokens(url, options)
    answer = outcome["answer"]
    assert set(answer) == {"serverUrl", "participantToken"}
    assert answer["serverUrl"] == tokenserver.livekit.url
    claims = jwt.decode(
        answer["participantToken"], tokenserver.livekit.api_secret, algorithms=["HS256"]
    )
    assert_is_ours(claims)
    for name in ("name", "metadata", "attributes"):
        assert (claims.get(name) or None) == expected.get(name), name
    assert_client_understands(outcome["claims"], claims)


def assert_is_ours(claims: dict[str, Any]) -> None:
    """Identity, room and agent are of our making, whatever was asked for."""
    assert claims["sub"].startswith("user-")
    room = claims["video"].pop("room")
    assert room.startswith("vf-")
    assert claims["video"] == {
        "roomJoin": True,
        "canPublish": True,
        "canPublishSources": ["microphone"],
        "canPublishData": True,
        "canSubscribe": True,
        "canUpdateOwnMetadata": False,
    }
    (agent,) = claims["roomConfig"]["agents"]
    assert agent["agentName"] == "voicefleet"
    assert json.loads(agent["metadata"])["admit_on_start"] is True
    assert set(claims["roomConfig"]) == {"agents", "emptyTimeout", "departureTimeout"}


def assert_client_understands(decoded: dict[str, Any], claims: dict[str, Any]) -> None:
    """`start()` waits for the agent, since it finds one in the token."""
    assert decoded["sub"] == claims["sub"]
    (agent,) = decoded["roomConfig"]["agents"]
    assert agent["agentName"] == "voicefleet"


@pytest.mark.parametrize(("options", "code"), REFUSED.values(), ids=REFUSED)
def test_what_an_app_may_not_pass_is_an_error_that_says_why(
    scripts: Scripts, url: str, options: dict[str, Any], code: str
) -> None:
    (outcome,) = scripts.fetch_tokens(url, options)
    begin, _, body = outcome["error"].partition(" / ")
    assert begin == f"Error generating token from endpoint {url}: received 400"
    error = json.loads(body)
    assert error["success"] is False
    assert error["error"]["code"] == code
    assert error["error"]["message"]


def test_a_token_is_kept_until_other_options_are_passed(scripts: Scripts, url: str) -> None:
    mine, other = {"agentName": "voicefleet"}, {"participantName": "Ada"}
    first, again, changed = scripts.fetch_tokens(url, mine, mine, other)
    assert again["answer"] == first["answer"]
    assert (first["requests"], again["requests"], changed["requests"]) == (1, 1, 2)
    assert changed["claims"]["video"]["room"] != first["claims"]["video"]["room"]


async def test_both_spellings_mean_the_same(http: httpx2.AsyncClient) -> None:
    """The JavaScript client writes snake_case; protocol buffers, and so other SDKs, take both."""
    agent = {"agent_name": "voicefleet", "metadata": "m"}
    snake = {
        "room_name": "r",
        "participant_name": "Ada",
        "participant_identity": "i",
        "participant_metadata": "m",
        "participant_attributes": {"a_b": "c"},
        "room_config": {"agents": [agent]},
    }
    camel = {
        "roomName": "r",
        "participantName": "Ada",
        "participantIdentity": "i",
        "participantMetadata": "m",
        "participantAttributes": {"a_b": "c"},
        "roomConfig": {"agents": [{"agentName": "voicefleet", "metadata": "m"}]},
    }
    claims = []
    for body in (snake, camel):
        answer = await http.post("/api/token", json=body)
        assert answer.status_code == 201, answer.text
        token = answer.json()["participant_token"]
        assert token == answer.json()["participantToken"]
        claims.append(jwt.decode(token, options={"verify_signature": False}))
    for name in ("name", "metadata", "attributes"):
        assert claims[0][name] == claims[1][name], name
    assert claims[0]["attributes"] == {"a_b": "c"}
    assert claims[0]["name"] == "Ada"


@pytest.mark.parametrize("spelling", ["room_config", "roomConfig"])
@pytest.mark.parametrize(
    "config",
    [
        {"egress": {"room": {"file_outputs": [{"filepath": "x.ogg"}]}}},
        {"agents": [{"agent_name": "voicefleet"}], "egress": {}},
        {"max_participants": 9},
        {"metadata": "m"},
    ],
    ids="+".join,
)
async def test_a_room_is_not_the_clients_to_configure(
    http: httpx2.AsyncClient, spelling: str, config: dict[str, Any]
) -> None:
    answer = await http.post("/api/token", json={spelling: config})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == "bad_request"
