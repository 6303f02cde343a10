"""Whoever is no user of the identity provider starts nothing; users are who their tokens say."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from livekit import api

from sessions.batch import Client
from sessions.ids import SessionId
from sessions.store import SessionStore
from tests.integration.tokenserver.attacks.conftest import (
    beside,
    provider_in_background,
    user_settings,
)
from tests.integration.tokenserver.attacks.people import (
    ADMIN,
    as_user,
    new_user,
    start_as,
    stop_any,
)
from tests.integration.tokenserver.conftest import TokenServer, bearer
from tests.support.event_stream import following
from tests.support.identity_provider import IdentityProvider, rsa_key
from tests.support.plain import NO_TLS
from tests.support.servers import LiveKitServer
from tests.support.wait import eventually

ADMIN_CALLS = [
    ("GET", "/api/sessions"),
    ("GET", f"/api/sessions/{'0' * 32}"),
    ("GET", "/api/fleet"),
    ("GET", "/api/fleet/history"),
    ("POST", "/api/pool/resize"),
    ("POST", "/api/workers/w1/drain"),
    ("POST", f"/api/session/{'0' * 32}/stop"),
    ("GET", "/metrics"),
]


def in_s(seconds: int) -> int:
    return int(time.time()) + seconds


async def start(http: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await http.post("/api/session/start", headers=bearer(token))


async def keys_of(redis: Client, *, but: str) -> set[str]:
    return {key async for key in redis.scan_iter("{strict}:*") if but not in key}


@pytest.mark.parametrize("path", ["/api/session/start", "/api/token"])
async def test_without_a_token_nothing_is_started(
    strict_http: httpx2.AsyncClient, strict_redis: Client, path: str
) -> None:
    """Attack 1: start without credentials. 401, and no key but the one that counts callers."""
    before = await keys_of(strict_redis, but=":limits")
    answer = await strict_http.post(path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert await keys_of(strict_redis, but=":limits") <= before


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("exp", lambda: {"exp": in_s(-3600)}),
        ("nbf", lambda: {"nbf": in_s(3600)}),
        ("aud", lambda: {"aud": "another-service"}),
        ("iss", lambda: {"iss": "https://id.example.org/"}),
    ],
    ids=["expired", "not yet valid", "audience", "issuer"],
)
async def test_a_token_for_something_else_is_refused(
    strict: TokenServer,
    strict_http: httpx2.AsyncClient,
    provider: IdentityProvider,
    claim: str,
    wrong: Callable[[], dict[str, object]],
) -> None:
    """Attack 2: a token out of its time, or of another audience or issuer.

    401 with one code for all; why is in the log alone.
    """
    answer = await start(strict_http, provider.token(rsa_key(), claims=wrong()))
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthorized"
    assert claim not in answer.json()["error"]["message"].split()
    await eventually(lambda: _is_logged(strict.log, claim))


async def _is_logged(log: Path, claim: str) -> bool:
    return any(
        json.loads(line)["reason"].endswith(f": {claim}")
        for line in (await asyncio.to_thread(log.read_text)).splitlines()
        if "refused a user token" in line
    )


async def test_a_token_that_expires_ends_what_it_opened(
    strict_http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """Attack 2: a stream and a long poll that were begun in time, and go on after the token's end.

    The stream ends, with a hint when to come back; the long poll says 401, and so does whoever
    comes back with that token. With another one all is well.
    """
    user = new_user()
    session = await start_as(strict_http, as_user(provider, user))
    # Believed for a minute more: AUTH_LEEWAY_S.
    ending = provider.token(rsa_key(), claims={"sub": user, "exp": in_s(-50)})
    path = f"/api/session/{session['sessionId']}"
    async with following(strict_http, session | {"sessionSecret": ending}) as stream:
        await stream.until_status("starting")
        polled = await strict_http.get(path, params={"wait": 30}, headers=bearer(ending))
        assert polled.status_code == 401, polled.text
        await stream.until_ended()
    assert (stream.retry_ms, stream.statuses) == (1000, ["starting"])
    refused = await strict_http.get(f"{path}/events", headers=bearer(ending))
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unauthorized")
    assert (await strict_http.get(path, headers=as_user(provider, user))).status_code == 200


def unsigned(provider: IdentityProvider) -> str:
    _, body, _ = provider.token(rsa_key()).split(".")
    return f"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}."


def signed_with_public_key(provider: IdentityProvider) -> str:
    _, body, _ = provider.token(rsa_key()).split(".")
    head = base64url(b'{"alg":"HS256","kid":"rsa-1"}')
    mac = hmac.digest(rsa_key().as_pem(private=False), f"{head}.{body}".encode(), "sha256")
    return f"{head}.{body}.{base64url(mac)}"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def with_critical_header(provider: IdentityProvider) -> str:
    return provider.token(rsa_key(), header={"crit": ["b64"], "b64": True})


@pytest.mark.parametrize(
    "forge", [unsigned, signed_with_public_key, with_critical_header], ids=lambda f: f.__name__
)
async def test_a_token_signed_by_nobody_is_refused(
    strict_http: httpx2.AsyncClient,
    provider: IdentityProvider,
    forge: Callable[[IdentityProvider], str],
) -> None:
    """Attack 3: `alg: none`, HS256 with the public key, an unknown critical header. 401."""
    answer = await start(strict_http, forge(provider))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


async def test_unknown_keys_are_asked_for_once(
    strict_http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """Attack 4: 100 tokens, each with a key of its own name. 401; one question at most."""
    await strict_http.get("/api/session/" + "0" * 32, headers=as_user(provider, new_user()))
    asked = provider.requests
    tokens = [provider.token(rsa_key(), header={"kid": f"unknown-{n}"}) for n in range(100)]
    answers = await asyncio.gather(*(start(strict_http, token) for token in tokens))
    assert {answer.status_code for answer in answers} == {401}
    assert provider.requests - asked <= 1


@pytest.fixture
def own_provider() -> Iterator[IdentityProvider]:
    """One whose answers a test may change."""
    with provider_in_background() as provider:
        yield provider


@pytest.fixture
def fragile(
    tokenserver: TokenServer, own_provider: IdentityProvider, tmp_path: Path
) -> Iterator[TokenServer]:
    settings = user_settings(own_provider) | {
        "AUTH_KEYS_COOLDOWN_S": "1",
        "AUTH_KEYS_TIMEOUT_S": "1.5",
    }
    with beside(tokenserver, tmp_path, "fragile", settings) as server:
        yield server


async def test_a_provider_that_hangs_locks_nobody_out(
    fragile: TokenServer, own_provider: IdentityProvider
) -> None:
    """Attack 5: the provider's keys cannot be fetched any more.

    1. A user is known. 2. The provider hangs. 3. A token with a new key: 503 with `Retry-After`,
    soon. 4. Users with the known key still get in.
    """

    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    user, url = new_user(), fragile.url
    async with httpx2.AsyncClient(base_url=url, timeout=30, verify=NO_TLS) as http:
        session = await start_as(http, as_user(own_provider, user))
        own_provider.answer = hang  # type: ignore[assignment]
        unknown = own_provider.token(rsa_key("rsa-2"))

        async def cannot_be_judged() -> httpx2.Response | None:
            answer = await start(http, unknown)
            return answer if answer.status_code == 503 else None

        answer = await eventually(cannot_be_judged)
        assert answer is not None
        assert answer.json()["error"]["code"] == "keys_unavailable"
        assert int(answer.headers["Retry-After"]) >= 1
        # 2 s are promised; the rest is for a busy machine. Without a deadline it would be for ever.
        assert answer.elapsed.total_seconds() < 10
        again = await start_as(http, as_user(own_provider, user))
        assert again["sessionId"] == session["sessionId"]
        await stop_any(http, session["sessionId"])


async def test_a_user_cannot_start_for_another(
    strict_http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """Attack 6: a body with another `userId` than the token's. 403, and no session of either."""
    eve, ada = new_user(), new_user()
    answer = await strict_http.post(
        "/api/session/start", json={"userId": ada}, headers=as_user(provider, eve)
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "wrong_user")
    for user in (eve, ada):
        listed = await strict_http.get(
            "/api/sessions", params={"user": user, "state": "all"}, headers=ADMIN
        )
        assert listed.json()["sessions"] == []


@pytest.mark.parametrize(("method", "path"), ADMIN_CALLS)
async def test_a_user_is_no_admin(
    strict_http: httpx2.AsyncClient, provider: IdentityProvider, method: str, path: str
) -> None:
    """Attack 15: what admins may, tried with a user's good token. 401: it is not looked at."""
    body = {"size": 1} if path == "/api/pool/resize" else {}
    answer = await strict_http.request(
        method, path, json=body, headers=as_user(provider, new_user())
    )
    assert answer.status_code == 401, answer.text


@pytest.mark.parametrize(
    ("name", "off_by_s", "status"),
    [("exp", -30, 201), ("exp", -90, 401), ("nbf", 30, 201), ("nbf", 90, 401)],
)
async def test_clocks_of_users_may_differ_by_a_minute(
    strict_http: httpx2.AsyncClient,
    provider: IdentityProvider,
    name: str,
    off_by_s: int,
    status: int,
) -> None:
    """Attack 40: a clock that is half a minute off is believed, one that is 90 s off is not."""
    token = provider.token(rsa_key(), claims={"sub": new_user(), name: in_s(off_by_s)})
    answer = await start(strict_http, token)
    assert answer.status_code == status, answer.text
    if status == 201:
        await stop_any(strict_http, answer.json()["sessionId"])


@pytest.mark.parametrize("remember", [True, False])
async def test_an_agent_is_told_of_the_past_only_of_who_wants_that(
    strict_http: httpx2.AsyncClient,
    strict_store: SessionStore,
    livekit_server: LiveKitServer,
    provider: IdentityProvider,
    *,
    remember: bool,
) -> None:
    """Attack 6: the counter-check. By the wish of a known user, agent and store know of it."""
    answer = await strict_http.post(
        "/api/session/start", json={"remember": remember}, headers=as_user(provider, new_user())
    )
    session = answer.json()
    kept = await strict_store.get(SessionId(session["sessionId"]))
    assert kept.is_remembered is remember
    server = livekit_server
    async with api.LiveKitAPI(server.http_url, server.api_key, server.api_secret) as livekit:
        (sent,) = await livekit.agent_dispatch.list_dispatch(session["roomName"])
    assert json.loads(sent.metadata)["remember"] is remember


async def test_nobody_is_remembered_under_a_name_that_anybody_may_use(
    http: httpx2.AsyncClient, store: SessionStore
) -> None:
    """Attack 6: with AUTH_MODE=open the name is a label: what it said is told to nobody."""
    answer = await http.post("/api/session/start", json={"userId": "ada", "remember": True})
    session_id = SessionId(answer.json()["sessionId"])
    assert not (await store.get(session_id)).is_remembered
    await stop_any(http, session_id)


async def test_a_user_is_who_the_token_says(
    strict_http: httpx2.AsyncClient, provider: IdentityProvider
) -> None:
    """Attack 6: the counter-check. With the own name in the body, the session is the user's."""
    user = new_user()
    answer = await strict_http.post(
        "/api/session/start", json={"userId": user}, headers=as_user(provider, user)
    )
    session_id = answer.json()["sessionId"]
    listed = await strict_http.get("/api/sessions", params={"user": user}, headers=ADMIN)
    assert [session["sessionId"] for session in listed.json()["sessions"]] == [session_id]
    await stop_any(strict_http, session_id)
