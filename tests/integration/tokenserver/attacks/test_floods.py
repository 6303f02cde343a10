"""Too many at once: of one caller, of many, of the same thing twice."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from livekit import api

from tests.integration.tokenserver.attacks.conftest import (
    STARTS_PER_USER,
    STRICT_CAPACITY,
    STRICT_QUEUE,
)
from tests.integration.tokenserver.attacks.people import (
    ADMIN,
    as_user,
    new_user,
    start_as,
    stop_any,
)
from tests.integration.tokenserver.conftest import TokenServer, bearer
from tests.integration.tokenserver.flow import until_watched
from tests.support.callers import calling_from
from tests.support.event_stream import following
from tests.support.identity_provider import IdentityProvider

STARTS_PER_ADDRESS = 10
FLOOD = 1000


async def stop_all(http: httpx2.AsyncClient, answers: Sequence[httpx2.Response]) -> None:
    """Stop what was started; those who wait first, so that they get no slot meanwhile."""
    for answer in sorted(answers, key=lambda answer: -answer.status_code):
        if answer.status_code in {201, 202}:
            proof = {name: answer.json()[name] for name in ("sessionId", "sessionSecret")}
            await http.post("/api/session/stop", json=proof)


def remaining(answer: httpx2.Response) -> int:
    return int(answer.headers["RateLimit-Remaining"])


async def test_a_forwarded_address_is_not_believed_without_proxies(limited: TokenServer) -> None:
    """Attack 24: `X-Forwarded-For` with another address each time, and no proxy of ours.

    All count as one caller; another one, who really has that address, still has all calls.
    """
    async with calling_from(limited.url, "127.0.24.1") as http:
        left = [
            remaining(await http.get("/api/health", headers={"X-Forwarded-For": f"127.0.24.{n}"}))
            for n in range(2, 12)
        ]
    assert left == list(range(left[0], left[0] - 10, -1))
    async with calling_from(limited.url, "127.0.24.2") as http:
        assert remaining(await http.get("/api/health")) == left[0]


async def test_of_two_forwarded_addresses_ours_is_believed(
    strict_http: httpx2.AsyncClient,
) -> None:
    """Attack 24: through one proxy of ours, with an address of the attacker's choice before it.

    The last entry counts, which the proxy wrote. So does it when the header comes twice.
    """
    mine = f"10.24.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
    left = []
    for n in range(5):
        chosen = f"1.2.3.{n}"
        for headers in (
            [("X-Forwarded-For", f"{chosen}, {mine}")],
            [("X-Forwarded-For", chosen), ("X-Forwarded-For", mine)],
            [("X-Forwarded-For", f"{chosen}, {mine}"), ("Forwarded", f"for={chosen}")],
            [("X-Forwarded-For", f"{chosen}, {mine}:{1000 + n}"), ("X-Real-IP", chosen)],
        ):
            answer = await strict_http.get("/api/health", headers=headers)
            left.append(remaining(answer))
    assert left == list(range(left[0], left[0] - 20, -1))


async def test_a_thousand_starts_of_one_address_are_ten(limited: TokenServer) -> None:
    """Attack 25: 1,000 starts of one address, in the names of 1,000 users.

    Ten are let in; the others are 429 with `Retry-After`. Somebody else is not affected.
    """
    async with calling_from(limited.url, "127.0.25.1") as http:
        answers = await asyncio.gather(
            *(http.post("/api/session/start", json={"userId": f"user-{n}"}) for n in range(FLOOD))
        )
        statuses = Counter(answer.status_code for answer in answers)
        assert statuses == {201: STARTS_PER_ADDRESS, 429: FLOOD - STARTS_PER_ADDRESS}
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.json()["error"]["code"] == "rate_limited"
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        async with calling_from(limited.url, "127.0.25.2") as other:
            started = await other.post("/api/session/start")
            assert started.status_code == 201
            await stop_all(other, [started])
        await stop_all(http, answers)


async def test_a_user_of_many_addresses_starts_so_many_a_minute(
    strict_http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """Attack 25: one user starts again and again, each time from another address.

    As many as USER_STARTS_PER_MINUTE are let in, then 429; other users start as ever.
    """
    eve, statuses = new_user(), Counter[int]()
    for n in range(STARTS_PER_USER + 5):
        headers = as_user(provider, eve) | {"X-Forwarded-For": f"10.25.0.{n}"}
        answer = await strict_http.post("/api/session/start", headers=headers)
        statuses[answer.status_code] += 1
        if answer.status_code == 201:
            await stop_any(strict_http, answer.json()["sessionId"])
        else:
            assert int(answer.headers["Retry-After"]) >= 1
    assert statuses == {201: STARTS_PER_USER, 429: 5}
    ada = await start_as(strict_http, as_user(provider, new_user()))
    await stop_any(strict_http, ada["sessionId"])


async def test_of_200_starts_at_once_capacity_is_let_in(strict_http: httpx2.AsyncClient) -> None:
    """Attack 26: 200 starts at the same time, for 100 slots and 50 places in line.

    Exactly 100 are admitted, 50 wait, 50 are refused with 429.
    """
    answers = await asyncio.gather(
        *(strict_http.post("/api/session/start", headers=ADMIN) for _ in range(200))
    )
    health = (await strict_http.get("/api/health")).json()["sessions"]
    await stop_all(strict_http, answers)
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses == {201: STRICT_CAPACITY, 202: STRICT_QUEUE, 429: 50}
    assert (health["starting"], health["queued"]) == (STRICT_CAPACITY, STRICT_QUEUE)
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["code"] == "queue_full"


async def test_a_start_sent_20_times_is_one(
    strict_http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """Attack 27: one start 20 times at once, under one `Idempotency-Key`.

    One session, one answer. With another body: 409. From another user: a session of their own.
    """
    user, key = as_user(provider, new_user()), {"Idempotency-Key": secrets.token_hex(16)}

    async def start(body: dict[str, Any], who: dict[str, str] = user) -> httpx2.Response:
        return await strict_http.post("/api/session/start", json=body, headers=who | key)

    answers = await asyncio.gather(*(start({}) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    same = ("sessionId", "sessionSecret", "roomName")
    assert len({tuple(answer.json()[name] for name in same) for answer in answers}) == 1
    other = await start({"remember": True})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")
    eve = await start({}, as_user(provider, new_user()))
    assert eve.json()["sessionId"] != answers[0].json()["sessionId"]
    for answer in (answers[0], eve):
        await stop_any(strict_http, answer.json()["sessionId"])


@pytest.mark.parametrize("tabs", [2, 20])
async def test_a_user_with_two_tabs_has_one_session(
    strict: TokenServer, strict_http: httpx2.AsyncClient, provider: IdentityProvider, tabs: int
) -> None:
    """Attack 28: one user starts in two tabs, or 20, at the same time.

    With USER_POLICY=resume all get the one session, whose room was sent one agent.
    """
    user = as_user(provider, new_user())
    answers = await asyncio.gather(
        *(strict_http.post("/api/session/start", headers=user) for _ in range(tabs))
    )
    assert {answer.status_code for answer in answers} == {201}, [a.text for a in answers]
    (session_id,) = {answer.json()["sessionId"] for answer in answers}
    livekit = strict.livekit
    async with api.LiveKitAPI(livekit.http_url, livekit.api_key, livekit.api_secret) as client:
        sent = await client.agent_dispatch.list_dispatch(answers[0].json()["roomName"])
    assert len(sent) == 1
    await stop_any(strict_http, session_id)


async def test_the_secret_of_a_former_tab_ends_what_it_opened(
    strict_http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """Attack 28: a stream and a long poll of the first tab, after the second tab has its secret.

    The stream ends, the long poll says 404, though nothing has changed in the session; a stream
    that the user's token opened goes on.
    """
    user = as_user(provider, new_user())
    first = await start_as(strict_http, user)
    path = f"/api/session/{first['sessionId']}"
    by_token = first | {"sessionSecret": user["Authorization"].removeprefix("Bearer ")}
    async with following(strict_http, first) as old, following(strict_http, by_token) as lasting:
        await old.until_status("starting")
        await lasting.until_status("starting")
        polling = asyncio.create_task(
            strict_http.get(path, params={"wait": 30}, headers=bearer(first["sessionSecret"]))
        )
        await until_watched(strict_http, 3)
        second = await start_as(strict_http, user)
        assert second["sessionId"] == first["sessionId"]
        await old.until_ended(40)
        answer = await polling
        assert answer.status_code == 404, answer.text
        assert not lasting.has_ended
        await stop_any(strict_http, first["sessionId"])
        await lasting.until_status("ended")
    assert old.statuses == ["starting"]
