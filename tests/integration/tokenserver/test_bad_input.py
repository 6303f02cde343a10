"""Whatever arrives, the answer is one JSON shape, and never a 500."""

from __future__ import annotations

import httpx2
import pytest

from tests.integration.tokenserver.conftest import bearer

BODIES = [
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"NaN",
    b"\xff\xfe",
    b"[" * 10_000,
    b'{"userId": ' + b"[" * 10_000,
    b'{"userId": "a b"}',
    b'{"userId": 7}',
    b'{"userId": "\\ud800"}',
    b'{"userId": "\\u0000"}',
    b'{"userId": "ada", "userId": "eve"}',
    b'{"remember": NaN}',
    b'{"a": ' * 20 + b"1" + b"}" * 20,
    b'{"userId": "' + b"x" * 200 + b'"}',
]


@pytest.mark.parametrize("path", ["/api/session/start", "/api/session/stop", "/api/token"])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:16]))
async def test_bad_bodies_are_a_400(http: httpx2.AsyncClient, path: str, body: bytes) -> None:
    answer = await http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["success"] is False
    assert answer.json()["error"]["code"] == "bad_request"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/api/session/start", 405),
        ("PUT", "/api/session/start", 405),
        ("GET", "/api/token", 405),
        ("GET", "/api/session/%2e%2e%2f", 404),
        ("GET", "/api/session/*", 404),
        ("GET", "//api/health", 404),
    ],
)
async def test_unknown_paths_and_methods_have_the_same_shape(
    http: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await http.request(method, path, headers=bearer("x" * 43))
    assert answer.status_code == status
    assert answer.json()["success"] is False


async def test_a_body_without_end_is_refused(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/api/session/start", content=b"x" * 1_000_000)
    assert answer.status_code == 413
    assert answer.json()["success"] is False


async def test_a_request_id_is_kept_if_harmless(http: httpx2.AsyncClient) -> None:
    kept = await http.get("/healthz", headers={"X-Request-ID": "abc-123"})
    assert kept.headers["X-Request-ID"] == "abc-123"
    replaced = await http.get("/healthz", headers={"X-Request-ID": "a" * 10_000})
    assert len(replaced.headers["X-Request-ID"]) == 16


async def test_no_other_origin_may_read_answers(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/api/health", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers
