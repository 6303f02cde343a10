"""Webhooks count only when our LiveKit signed these very bytes, lately; and only once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import secrets
import time

import httpx2
import jwt
import pytest

from tests.integration.tokenserver.attacks.conftest import PREVIOUS_KEY, PREVIOUS_SECRET
from tests.integration.tokenserver.attacks.people import ADMIN, start_as, view_of
from tests.integration.tokenserver.conftest import bearer
from tests.integration.tokenserver.test_sessions_api import Started, start, status_of
from tests.support.servers import LiveKitServer


def event(kind: str, room: str) -> bytes:
    value = {
        "event": kind,
        "id": f"EV_{secrets.token_hex(8)}",
        "room": {"name": room, "sid": "RM_1"},
        "participant": {"identity": "user-1", "kind": "STANDARD"},
    }
    return json.dumps(value).encode()


def signature(key: str, secret: str, body: bytes, *, off_by_s: int = 0, **more: object) -> str:
    """Sign as LiveKit does, by a clock that is so far off."""
    now_s = int(time.time()) + off_by_s
    claims = {
        "iss": key,
        "nbf": now_s,
        "exp": now_s + 300,
        "sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
    }
    return jwt.encode(claims | more, secret, algorithm="HS256")


async def deliver(http: httpx2.AsyncClient, body: bytes, authorization: str) -> httpx2.Response:
    headers = {"Content-Type": "application/webhook+json"}
    if authorization:
        headers["Authorization"] = authorization
    return await http.post("/livekit/webhook", content=body, headers=headers)


async def deliver_signed(
    http: httpx2.AsyncClient, livekit: LiveKitServer, body: bytes
) -> httpx2.Response:
    return await deliver(http, body, signature(livekit.api_key, livekit.api_secret, body))


async def counted(http: httpx2.AsyncClient, result: str) -> float:
    text = (await http.get("/metrics", headers=ADMIN)).text
    found = re.search(rf'^voicefleet_webhooks_total{{result="{result}"}} (\S+)$', text, re.M)
    assert found is not None
    return float(found[1])


@pytest.mark.parametrize("kind", ["room_finished", "participant_joined", "room_started"])
async def test_an_unsigned_webhook_changes_nothing(
    http: httpx2.AsyncClient, clean_slots: Started, livekit_server: LiveKitServer, kind: str
) -> None:
    """Attack 16: no signature, nonsense, another secret, no algorithm. 401; nothing has changed."""
    session = await start(http, clean_slots)
    body = event(kind, session["roomName"])
    forged = [
        "",
        "nonsense",
        "Bearer nonsense",
        "a.b.c",
        "\u00e4",
        "x" * 5000,
        signature(livekit_server.api_key, "s" * 32, body),
        signature("another-key", livekit_server.api_secret, body),
        jwt.encode({"iss": livekit_server.api_key}, "", algorithm="none"),
    ]
    path, owner = f"/api/session/{session['sessionId']}", bearer(session["sessionSecret"])
    before = (await http.get(path, headers=owner)).json()["revision"]
    refused = await counted(http, "refused")
    for authorization in forged:
        answer = await http.post(
            "/livekit/webhook",
            content=body,
            headers={b"Authorization": authorization.encode("latin-1")},
        )
        assert answer.status_code == 401, authorization
    assert (await http.get(path, headers=owner)).json()["revision"] == before
    assert await counted(http, "refused") - refused >= len(forged)


async def test_a_webhook_with_one_other_byte_changes_nothing(
    http: httpx2.AsyncClient, clean_slots: Started, livekit_server: LiveKitServer
) -> None:
    """Attack 17: a good signature, and one byte more, less, or other. 401."""
    session = await start(http, clean_slots)
    body = event("room_finished", session["roomName"])
    good = signature(livekit_server.api_key, livekit_server.api_secret, body)
    other = body.replace(b"RM_1", b"RM_2")
    for changed in (other, body + b" ", body[:-1] + b" }", b""):
        assert (await deliver(http, changed, good)).status_code == 401
    assert await status_of(http, session) == "starting"


async def test_a_token_to_join_with_signs_no_webhook(
    http: httpx2.AsyncClient, clean_slots: Started, livekit_server: LiveKitServer
) -> None:
    """Attack 18: the token of a participant, which our key signed too, and others without a hash.

    401: none of them vouches for a body.
    """
    session = await start(http, clean_slots)
    body = event("room_finished", session["roomName"])
    key, secret = livekit_server.api_key, livekit_server.api_secret
    for token in (
        session["participantToken"],
        f"Bearer {session['participantToken']}",
        signature(key, secret, body, sha256=""),
        signature(key, secret, body, sha256=None),
        signature(key, secret, body, sha256=7),
        signature(key, secret, body, sha256="not base64!"),
    ):
        assert (await deliver(http, body, token)).status_code == 401
    assert await status_of(http, session) == "starting"


async def test_a_webhook_twice_at_once_is_one(
    http: httpx2.AsyncClient, clean_slots: Started, livekit_server: LiveKitServer
) -> None:
    """Attack 19: one delivery ten times, at the same time and later, while other sessions live.

    Each is a 200; one slot is given back, not ten.
    """
    others = [await start(http, clean_slots) for _ in range(3)]
    session = await start(http, clean_slots)
    taken = (await http.get("/api/health")).json()["sessions"]["starting"]
    body = event("room_finished", session["roomName"])
    answers = await asyncio.gather(*(deliver_signed(http, livekit_server, body) for _ in range(10)))
    answers.append(await deliver_signed(http, livekit_server, body))
    assert {answer.status_code for answer in answers} == {200}
    assert answers[-1].json()["applied"] is False
    assert (await http.get("/api/health")).json()["sessions"]["starting"] == taken - 1
    assert {await status_of(http, other) for other in others} == {"starting"}


async def test_webhooks_out_of_order_revive_nothing(
    http: httpx2.AsyncClient, clean_slots: Started, livekit_server: LiveKitServer
) -> None:
    """Attack 19: `room_finished` first, then what came before it. 200; the session stays over."""
    session = await start(http, clean_slots)
    path, owner = f"/api/session/{session['sessionId']}", bearer(session["sessionSecret"])
    for kind in ("room_finished", "participant_joined", "room_started", "room_finished"):
        answer = await deliver_signed(http, livekit_server, event(kind, session["roomName"]))
        assert answer.status_code == 200, answer.text
        view = (await http.get(path, headers=owner)).json()
        assert (view["status"], view["joinedAt"]) == ("ended", None)


@pytest.mark.parametrize("kind", ["room_started", "participant_joined", "room_finished", "unheard"])
@pytest.mark.parametrize(
    ("room", "result"),
    [
        ("lobby", "foreign_room"),
        ("", "foreign_room"),
        ("vf-*", "foreign_room"),
        ("vf-" + "0" * 32 + "}:slots", "foreign_room"),
        ("vf-" + "0" * 32, "unknown_session"),
    ],
)
async def test_a_webhook_of_an_unknown_room_is_counted(
    http: httpx2.AsyncClient, livekit_server: LiveKitServer, kind: str, room: str, result: str
) -> None:
    """Attack 20: events of rooms that are not ours, or of no session. 200, counted, no more."""
    if (kind, result) == ("unheard", "unknown_session"):
        result = "of_no_matter"  # nothing is to be done, for any session
    before = await counted(http, result)
    answer = await deliver_signed(http, livekit_server, event(kind, room))
    assert answer.status_code == 200, answer.text
    assert await counted(http, result) > before


async def test_the_previous_key_counts_while_it_is_set(
    strict_http: httpx2.AsyncClient, http: httpx2.AsyncClient
) -> None:
    """Attack 21: a delivery signed with the key before. Applied where that is set, else 401."""
    session = await start_as(strict_http, ADMIN)
    body = event("room_finished", session["roomName"])
    token = signature(PREVIOUS_KEY, PREVIOUS_SECRET, body)
    assert (await deliver(http, body, token)).status_code == 401
    assert (await view_of(strict_http, session["sessionId"]))["status"] == "starting"
    assert (await deliver(strict_http, body, token)).json()["applied"] is True
    assert (await view_of(strict_http, session["sessionId"]))["status"] == "ended"


async def test_the_previous_key_counts_with_its_own_secret_only(
    strict_http: httpx2.AsyncClient, livekit_server: LiveKitServer
) -> None:
    """Attack 21: the name of one key with the secret of the other. 401."""
    body = event("room_finished", "lobby")
    for key, secret in (
        (PREVIOUS_KEY, livekit_server.api_secret),
        (livekit_server.api_key, PREVIOUS_SECRET),
    ):
        assert (await deliver(strict_http, body, signature(key, secret, body))).status_code == 401


@pytest.mark.parametrize(("off_by_s", "status"), [(-30, 200), (30, 200), (-420, 401), (420, 401)])
async def test_webhooks_are_of_these_minutes(
    http: httpx2.AsyncClient, livekit_server: LiveKitServer, off_by_s: int, status: int
) -> None:
    """Attack 40: a delivery of six minutes ago or hence is refused, one of half a minute is not.

    LiveKit signs for five minutes, and clocks may differ by one: so one more is beyond both.
    """
    body = event("room_finished", "lobby")
    token = signature(livekit_server.api_key, livekit_server.api_secret, body, off_by_s=off_by_s)
    assert (await deliver(http, body, token)).status_code == status
