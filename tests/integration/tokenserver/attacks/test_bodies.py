"""Bodies and names that are too large, too deep, or no text at all."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator

import httpx2
import pytest

from sessions.batch import Client
from tests.integration.tokenserver.attacks.people import ADMIN, start_as
from tests.integration.tokenserver.attacks.wire import spoken, status_of
from tests.integration.tokenserver.conftest import TokenServer, bearer

#: Those that read a JSON body.
PATHS = ["/api/session/start", "/api/session/stop", "/api/token", "/api/pool/resize"]
JSON = {"Content-Type": "application/json"}
#: 50 ms are meant; the rest is for a busy machine.
SOON_S = 2.0

BODIES = {
    "depth 10,000 of lists": b"[" * 5_000 + b"]" * 5_000,
    "depth 10,000 without end": b"[" * 10_000,
    "depth of objects": b'{"a":' * 2_700 + b"1" + b"}" * 2_700,
    "depth 13": b'{"a":' * 13 + b"1" + b"}" * 13,
    "depth inside a field": b'{"userId":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "NaN": b'{"size": NaN}',
    "Infinity": b'{"size": -Infinity}',
    "a huge number": b'{"size": ' + b"9" * 10_000 + b"}",
    "a huge exponent": b'{"size": 1e999999}',
    "a key twice": b'{"sessionId": "a", "sessionId": "b"}',
    "a key twice within": b'{"room_config": {"agents": [], "agents": [{}]}}',
    "a key in both spellings": b'{"room_name": "a", "roomName": "b", "x": 1}',
    "no UTF-8": b'{"userId": "\xff\xfe"}',
    "UTF-16": '{"userId": "ada"}'.encode("utf-16"),
    "overlong UTF-8": b'{"userId": "\xc0\xaf"}',
    "NUL": b'{"userId": "a\\u0000b"}',
    "a bare NUL": b'{"userId": "a\x00b"}',
    "a lone surrogate": b'{"userId": "\\ud800"}',
    "a lone surrogate as key": b'{"\\udfff": 1}',
    "half JSON": b'{"userId": "ada"',
    "two values": b"{} {}",
    "a list": b"[{}]",
    "a string": b'"{}"',
    "null": b"null",
}

#: What is refused before anybody looks at its fields, and why.
REASONS = {
    "depth 13": "nested too deep",
    **dict.fromkeys(
        ("NaN", "Infinity", "a key twice", "a key twice within", "no UTF-8", "a lone surrogate"),
        "not valid JSON",
    ),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_is_no_plain_json_is_refused(
    http: httpx2.AsyncClient, path: str, name: str
) -> None:
    """Attack 29: too deep, not a number, a key twice, half characters. 400, soon, and no 500."""
    began = time.perf_counter()
    answer = await http.post(path, content=BODIES[name], headers=JSON | ADMIN)
    took_s = time.perf_counter() - began
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == "bad_request"
    assert REASONS.get(name, "") in answer.json()["error"]["message"]
    assert took_s < SOON_S


@pytest.mark.parametrize("path", [*PATHS, "/livekit/webhook"])
@pytest.mark.parametrize("is_chunked", [True, False], ids=["chunked", "with length"])
async def test_a_body_of_a_megabyte_is_refused(
    http: httpx2.AsyncClient, path: str, *, is_chunked: bool
) -> None:
    """Attack 29: 1 MB, with its length said before or not. 413, one shape as ever."""
    body = b'{"userId": "' + b"x" * 1_000_000 + b'"}'

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 10_000):
            yield body[at : at + 10_000]

    content = pieces() if is_chunked else body
    answer = await http.post(path, content=content, headers=JSON | ADMIN)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"


async def test_a_body_that_never_ends_is_refused_before_it_ends(tokenserver: TokenServer) -> None:
    """Attack 29: a length of a terabyte is said, and 20 kB come. 413 without waiting for more."""
    head = (
        b"POST /api/session/start HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: 1000000000000\r\n\r\n"
    )
    assert status_of(await spoken(tokenserver.url, head + b"x" * 20_000)) == 413


@pytest.mark.parametrize(
    "text",
    [
        "starting",
        "a}:slots",
        "*",
        "a b",
        "a:b}",
        "../x",
        "0" * 31,
        "0" * 33,
        "0" * 31 + "\n",
        "\u0660" * 32,
    ],
)
async def test_an_id_names_no_key_but_its_own(
    strict_http: httpx2.AsyncClient, strict_redis: Client, text: str
) -> None:
    """Attack 36: ids with braces, stars, spaces, wherever an id may stand.

    400 or 404, never a 5xx; and no key of Redis is new but the one that counts callers.
    "starting" would name the list of a state, which is there: a session is just starting.
    """
    await start_as(strict_http, ADMIN)
    before = await _keys(strict_redis)
    owner = bearer("x" * 43)
    body = {"sessionId": text}
    for answer in [
        await strict_http.post("/api/session/stop", json=body, headers=owner),
        await strict_http.post("/api/token", json=body, headers=owner),
        await strict_http.post("/api/session/start", json={"userId": text + "}"}, headers=ADMIN),
        await strict_http.get("/api/sessions", params={"user": text + "}"}, headers=ADMIN),
        await strict_http.get("/api/sessions", params={"worker": text + "}"}, headers=ADMIN),
        await strict_http.get("/api/sessions", params={"after": f"active~{text}}}"}, headers=ADMIN),
    ]:
        assert answer.status_code == 400, answer.text
    for method, path in [
        ("GET", "/api/session/{}"),
        ("GET", "/api/session/{}/logs"),
        ("POST", "/api/session/{}/stop"),
        ("POST", "/api/workers/{}/drain"),
    ]:
        # A client would escape what is not plain; by hand, each byte goes as it is.
        target = path.format(text.replace(" ", "%20").replace("\n", "%0A"))
        request = f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        request += f"Authorization: {ADMIN['Authorization']}\r\n\r\n"
        answer_ = await spoken(str(strict_http.base_url), request.encode())
        assert status_of(answer_) in {400, 404}, answer_
    assert await _keys(strict_redis) <= before


async def _keys(redis: Client) -> set[str]:
    """Return all keys but those that count callers, and those of the other token server."""
    keys = {key async for key in redis.scan_iter("*")}
    return {key for key in keys if ":limits" not in key and not key.startswith("{vf}:")}


async def test_an_idempotency_key_names_no_key_but_its_own(
    strict_http: httpx2.AsyncClient, strict_redis: Client
) -> None:
    """Attack 36: an `Idempotency-Key` with braces and stars. It is hashed: no key holds it."""
    evil = "a}:slots*[a-z]?{{{"
    answer = await strict_http.post("/api/session/start", headers=ADMIN | {"Idempotency-Key": evil})
    assert answer.status_code == 201
    keys = [key async for key in strict_redis.scan_iter("*") if "strict" in key]
    assert keys
    assert not [key for key in keys if not key.startswith("{strict}:") or "slots*" in key]
    session_id = answer.json()["sessionId"]
    await strict_http.post(f"/api/session/{session_id}/stop", headers=ADMIN)


async def test_a_signed_body_of_any_depth_is_no_500(tokenserver: TokenServer) -> None:
    """Attack 29: a token whose own JSON is 10,000 deep, where a signature is expected. 401."""
    deep = json.dumps({"alg": "HS256"}).encode()
    token = ".".join(_base64url(part) for part in (deep, b"[" * 3_000, b"x"))
    request = "POST /livekit/webhook HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    request += f"Authorization: {token[:4090]}\r\nContent-Length: 2\r\n\r\n{{}}"
    assert status_of(await spoken(tokenserver.url, request.encode())) == 401


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
