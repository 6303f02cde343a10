from __future__ import annotations

import json
from typing import Any

import jwt
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
