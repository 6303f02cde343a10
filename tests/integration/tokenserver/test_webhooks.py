"""Webhooks count only with our server's signature over these very bytes, and only once."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from datetime import timedelta

import httpx2
import pytest
from livekit import api

from tests.integration.tokenserver.conftest import bearer
from tests.integration.tokenserver.test_sessions_api import Started, start, status_of
from tests.support.servers import LiveKitServer


def event(kind: str, room: str) -> bytes:
    return json.dumps(
        {
            "event": kind,
            "id": f"EV_{secrets.token_hex(8)}",
            "room": {"name": room, "sid": "RM_1"},
            "participant": {"identity": "user-1", "kind": "STANDARD"},
        }
    ).encode()


def signature(livekit: LiveKitServer, body: bytes, *, ttl_s: int = 300) -> dict[str, str]:
    token = (
        api.AccessToken(livekit.api_key, livekit.api_secret)
        .with_ttl(timedelta(seconds=ttl_s))
        .with_sha256(base64.b64encode(hashlib.sha256(body).digest()).decode())
    )
    return {"Authorization": token.to_jwt(), "Content-Type": "application/webhook+json"}


async def test_a_signed_event_is_applied_once(
    http: httpx2.AsyncClient, clean_slots: Started, livekit_server: LiveKitServer
) -> None:
    session = await start(http, clean_slots)
    body = event("room_finished", session["roomName"])
    headers = signature(livekit_server, body)
    first = await http.post("/livekit/webhook", content=body, headers=headers)
    again = await http.post("/livekit/webhook", content=body, headers=headers)
    assert (first.json()["applied"], again.json()["applied"]) == (True, False)
    assert await status_of(http, session) == "ended"


async def test_what_is_not_signed_changes_nothing(
    http: httpx2.AsyncClient, clean_slots: Started, livekit_server: LiveKitServer
) -> None:
    session = await start(http, clean_slots)
    body = event("room_finished", session["roomName"])
    forged = [
        {},
        {"Authorization": "nonsense"},
        bearer(session["participantToken"]),
        {"Authorization": session["participantToken"]},
        signature(livekit_server, body + b" "),
        signature(livekit_server, body, ttl_s=-3600),
    ]
    for headers in forged:
        answer = await http.post("/livekit/webhook", content=body, headers=headers)
        assert answer.status_code == 401, headers
    assert await status_of(http, session) == "starting"


@pytest.mark.parametrize("room", ["lobby", "vf-" + "0" * 32])
async def test_rooms_that_are_not_ours_are_ignored(
    http: httpx2.AsyncClient, livekit_server: LiveKitServer, room: str
) -> None:
    body = event("room_finished", room)
    answer = await http.post(
        "/livekit/webhook", content=body, headers=signature(livekit_server, body)
    )
    assert answer.status_code == 200
