"""Pages of other origins: a browser lets them read only what we allow."""

from __future__ import annotations

import httpx2
import pytest

from tests.integration.tokenserver.attacks.conftest import ORIGIN

OTHERS = [
    "https://evil.example",
    "null",
    "",
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://APP.example.com",
    "https://app.example.com/",
    "https://app.example.co",
    "*",
    "file://",
]
ALLOW_ORIGIN, ALLOW_CREDENTIALS = "access-control-allow-origin", "access-control-allow-credentials"


def preflight(
    origin: str, *, method: str = "POST", headers: str = "authorization"
) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
        "Cookie": "session=1",
    }


@pytest.mark.parametrize("origin", OTHERS)
async def test_another_origin_reads_nothing(strict_http: httpx2.AsyncClient, origin: str) -> None:
    """Attack 31: a page of an origin that is not on the list, or of none. No header allows it."""
    for answer in [
        await strict_http.get("/api/health", headers={"Origin": origin}),
        await strict_http.get("/api/health", headers={"Origin": origin, "Cookie": "session=1"}),
        await strict_http.post("/api/session/start", headers={"Origin": origin}),
        await strict_http.options("/api/session/start", headers=preflight(origin)),
    ]:
        assert ALLOW_ORIGIN not in answer.headers
        assert ALLOW_CREDENTIALS not in answer.headers


async def test_the_origin_on_the_list_reads_answers_without_credentials(
    strict_http: httpx2.AsyncClient,
) -> None:
    """Attack 31: the counter-check. The one origin is allowed, by name, and cookies never are.

    Caches are told that the answer depends on the origin.
    """
    for answer in [
        await strict_http.get("/api/health", headers={"Origin": ORIGIN, "Cookie": "session=1"}),
        await strict_http.options("/api/session/start", headers=preflight(ORIGIN)),
    ]:
        assert answer.status_code == 200
        assert answer.headers[ALLOW_ORIGIN] == ORIGIN
        assert "origin" in answer.headers["Vary"].lower()
        assert ALLOW_CREDENTIALS not in answer.headers
    errors = await strict_http.post("/api/session/start", headers={"Origin": ORIGIN})
    assert (errors.status_code, errors.headers[ALLOW_ORIGIN]) == (401, ORIGIN)


@pytest.mark.parametrize(
    ("method", "headers"), [("DELETE", ""), ("PUT", ""), ("POST", "x-evil"), ("POST", "cookie")]
)
async def test_a_preflight_for_more_is_refused(
    strict_http: httpx2.AsyncClient, method: str, headers: str
) -> None:
    """Attack 31: the right origin asks for other methods or headers than the API has. 400."""
    asked = preflight(ORIGIN, method=method, headers=headers)
    answer = await strict_http.options("/api/session/start", headers=asked)
    assert answer.status_code == 400


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_every_origin_is_never_every_origin_with_credentials(
    limited_http: httpx2.AsyncClient, origin: str
) -> None:
    """Attack 31: CORS_ORIGINS is `["*"]`, and a page sends cookies. Allowed without them only."""
    for answer in [
        await limited_http.get("/api/health", headers={"Origin": origin, "Cookie": "session=1"}),
        await limited_http.options("/api/session/start", headers=preflight(origin)),
    ]:
        assert answer.headers[ALLOW_ORIGIN] in {"*", origin}
        assert ALLOW_CREDENTIALS not in answer.headers


@pytest.mark.parametrize("path", ["/healthz", "/api/fleet", "/nowhere", "/api/docs"])
async def test_answers_are_not_framed_nor_guessed_at(http: httpx2.AsyncClient, path: str) -> None:
    """Attack 31: a page frames ours, or takes an answer for a script. Headers forbid both."""
    answer = await http.get(path)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
