from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import jwt
from livekit import api
from pydantic import SecretStr

from rooms.settings import RoomSettings
from rooms.tokens import Participant, mint_token

SECRET = "s" * 32
SETTINGS = RoomSettings(livekit_api_key="key", livekit_api_secret=SecretStr(SECRET))


def claims(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(token, SECRET, algorithms=["HS256"])
    return decoded


def test_a_token_lasts_as_long_as_asked() -> None:
    token = claims(mint_token(SETTINGS, Participant(room="r", identity="u"), ttl_s=90))
    assert token["exp"] - token["nbf"] == 90
    assert token["sub"] == "u"
    assert token["iss"] == "key"


def test_nobody_gets_to_manage_rooms() -> None:
    video = claims(mint_token(SETTINGS, Participant(room="r", identity="u"), ttl_s=90))["video"]
    for grant in ("roomAdmin", "roomCreate", "roomList", "roomRecord", "hidden", "recorder"):
        assert not video.get(grant)


def test_an_agent_is_sent_for_by_name() -> None:
    token = mint_token(
        SETTINGS, Participant(room="r", identity="u"), ttl_s=90, agent_metadata='{"a": 1}'
    )
    config = claims(token)["roomConfig"]
    assert [agent["agentName"] for agent in config["agents"]] == ["voicefleet"]
    assert json.loads(config["agents"][0]["metadata"]) == {"a": 1}
    assert "egress" not in config


def test_the_claims_are_those_that_livekit_writes() -> None:
    """Field by field as livekit-api, the library they stand in for, would have put them."""
    who = Participant(room="r", identity="u", name="n", metadata="m", attributes={"a": "b"})
    grants = api.VideoGrants(
        room_join=True,
        room="r",
        can_publish=True,
        can_publish_sources=["microphone"],
        can_publish_data=True,
        can_subscribe=True,
        can_update_own_metadata=False,
    )
    config = api.RoomConfiguration(
        empty_timeout=SETTINGS.room_empty_timeout_s,
        departure_timeout=SETTINGS.room_departure_timeout_s,
        agents=[api.RoomAgentDispatch(agent_name="voicefleet", metadata="{}")],
    )
    theirs = (
        api.AccessToken("key", SECRET)
        .with_identity("u")
        .with_name("n")
        .with_metadata("m")
        .with_attributes({"a": "b"})
        .with_ttl(timedelta(seconds=90))
        .with_grants(grants)
        .with_room_config(config)
    )
    ours, expected = (
        claims(mint_token(SETTINGS, who, ttl_s=90, agent_metadata="{}")),
        theirs.to_jwt(),
    )
    times = {"nbf", "exp"}
    assert {name: ours[name] for name in ours.keys() - times} == {
        name: value for name, value in claims(expected).items() if name not in times
    }
