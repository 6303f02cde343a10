"""Paths and methods that are spelled in other ways, and what is not for everybody."""

from __future__ import annotations

import httpx2
import pytest

from tests.integration.tokenserver.attacks.people import ADMIN
from tests.integration.tokenserver.attacks.wire import spoken, status_of
from tests.integration.tokenserver.conftest import TokenServer, bearer
from tests.integration.tokenserver.test_sessions_api import Started, start
from tests.integration.tokenserver.test_sessions_api import status_of as state_of
from tokenserver.app import OPERATIONS

ID = "0" * 32
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"]
PATHS = sorted({operation.path for operation in OPERATIONS})


def plain(path: str) -> str:
    return path.replace("{session_id}", ID).replace("{worker_id}", "w1")


async def ask(server: TokenServer, method: str, target: str, *headers: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
    return await spoken(server.url, "\r\n".join(lines).encode("latin-1"))


@pytest.mark.parametrize("path", PATHS)
async def test_another_method_reaches_nothing(tokenserver: TokenServer, path: str) -> None:
    """Attack 30: every path with every method, HEAD and OPTIONS among them, as an admin.

    What is not in the list of operations is 405, or 404 where the path is another's too, and what
    is no method of HTTP is 400. HEAD is GET without a body.
    """
    known = {operation.method for operation in OPERATIONS if operation.path == path}
    admin = f"Authorization: {ADMIN['Authorization']}"
    for method in METHODS:
        if method in known or (method == "HEAD" and "GET" in known):
            continue
        answer = await ask(tokenserver, method, plain(path), admin)
        assert status_of(answer) in ({400} if method == "get" else {404, 405}), (method, answer)
        override = await ask(
            tokenserver, method, plain(path), admin, "X-HTTP-Method-Override: POST"
        )
        assert status_of(override) == status_of(answer)


@pytest.mark.parametrize("path", [o.path for o in OPERATIONS if o.method == "GET"])
async def test_a_head_has_no_body(tokenserver: TokenServer, path: str) -> None:
    """Attack 30: HEAD where GET is. The status of GET, no body; none for a stream without end."""
    get = await ask(tokenserver, "GET", plain(path))
    head = await ask(tokenserver, "HEAD", plain(path))
    assert status_of(head) == (405 if path.endswith("/events") else status_of(get))
    assert head.partition(b"\r\n\r\n")[2] == b""


@pytest.mark.parametrize(
    "target",
    [
        "//api/fleet",
        "/api//fleet",
        "/api/fleet/",
        "/api/fleet//",
        "/api%2ffleet",
        "/api%2Ffleet",
        "/%61pi/fleet",
        "/api/fleet%00",
        "/api/fleet%20",
        "/api/fleet;x=1",
        "/api/./fleet",
        "/api/session/../fleet",
        "/api/session/%2e%2e/fleet",
        "/api/session/..%2ffleet",
        "/api\\fleet",
        "/API/fleet",
        "/metrics/",
        "//metrics",
        "/healthz/../metrics",
        "/api/session/%2e%2e%2f%2e%2e%2fmetrics",
        "http://127.0.0.1/api/fleet",
        "http://evil.example//metrics",
        "*",
        "/api/session/" + ID + "%2fstop",
        "/api/session//logs",
        "/api/session/" + "x" * 10_000,
    ],
    ids=lambda target: target[:40],
)
async def test_another_spelling_is_another_path(tokenserver: TokenServer, target: str) -> None:
    """Attack 30: `//`, `%2f`, dots, backslashes, case: a proxy may read them otherwise than we do.

    404 (or 400), even to an admin; never a redirect, never another route.
    """
    answer = await ask(tokenserver, "GET", target, f"Authorization: {ADMIN['Authorization']}")
    assert status_of(answer) in {400, 404}, answer
    assert b"location:" not in answer.lower()


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/xml",
        "application/jsonp",
        "application/merge-patch+json",
        "text/json",
    ],
)
@pytest.mark.parametrize("path", ["/api/session/start", "/api/session/stop", "/api/token"])
async def test_another_type_of_body_is_refused(
    http: httpx2.AsyncClient, path: str, content_type: str
) -> None:
    """Attack 30: JSON that says it is something else, as pages may send without asking. 415."""
    headers = {"Content-Type": content_type} if content_type else {}
    answer = await http.post(path, content=b'{"x": 1}', headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "path",
    [
        "/debug",
        "/debug/pprof",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/api",
        "/",
        "/console",
        "/embed/voicefleet-call.js",
        "/.env",
        "/.git/config",
        "/server-status",
        "/admin",
        "/livekit",
        "/static/../.env",
    ],
)
async def test_nothing_else_is_there(http: httpx2.AsyncClient, path: str) -> None:
    """Attack 34: what frameworks offer and scanners look for. 404, to an admin, too."""
    assert (await http.get(path, headers=ADMIN)).status_code == 404


async def test_figures_are_for_admins(http: httpx2.AsyncClient) -> None:
    """Attack 34: `/metrics` and the details of `/api/health` from outside.

    401 and nothing; `/healthz` says that the process is up, and no more.
    """
    assert (await http.get("/metrics")).status_code == 401
    assert "voicefleet_" in (await http.get("/metrics", headers=ADMIN)).text
    assert (await http.get("/healthz", headers=ADMIN)).json() == {"ok": True}
    assert "details" not in (await http.get("/api/health")).json()
    assert "details" in (await http.get("/api/health", headers=ADMIN)).json()
    assert set((await http.get("/readyz")).json()) == {"ready", "stopping", "redis", "livekit"}


@pytest.mark.parametrize("path", PATHS)
async def test_answers_name_no_software(http: httpx2.AsyncClient, path: str) -> None:
    """Attack 34: what do errors tell? No trace, no file, no version, no server."""
    answer = await http.post(plain(path), content=b"{", headers={"Content-Type": "text/plain"})
    assert "server" not in answer.headers
    for word in ("Traceback", "File ", ".py", "starlette", "uvicorn", "pydantic"):
        assert word not in answer.text


async def test_nobody_can_pretend_to_be_a_worker(
    http: httpx2.AsyncClient, clean_slots: Started
) -> None:
    """Attack 38: a forged heartbeat, claim, or end of a session, of a worker that is none.

    There is no such API: workers talk to Redis, which has a password of its own. 404 and 405; only
    admins give orders to workers; the session goes on without an agent.
    """
    session = await start(http, clean_slots)
    session_id = session["sessionId"]
    body = {"sessionId": session_id, "epoch": 1, "workerId": "w1"}
    for proof in ({}, bearer(session["sessionSecret"]), bearer("x" * 43)):
        for path in ("heartbeat", "renew", "register", "claim"):
            for target in (f"/api/workers/w1/{path}", f"/api/session/{session_id}/{path}"):
                answer = await http.post(target, json=body, headers=proof)
                assert answer.status_code == 404, (target, answer.text)
        for method in ("PUT", "PATCH", "DELETE"):
            answer = await http.request(method, "/api/workers/w1/drain", headers=proof)
            assert answer.status_code == 405
        assert (await http.post("/api/workers/w1/drain", headers=proof)).status_code == 401
    assert await state_of(http, session) == "starting"
