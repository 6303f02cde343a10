"""What is written down: one line of JSON for a request, and nothing in it that is anybody's."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from pathlib import Path
from typing import Any

import httpx2
import pytest

from sessions.ids import SessionId, WorkerId
from sessions.journal import LogLine
from sessions.model import AgentProcess
from sessions.store import SessionStore
from tests.integration.tokenserver.attacks.people import ADMIN, as_user, new_user, stop_any
from tests.integration.tokenserver.attacks.wire import spoken, status_of
from tests.integration.tokenserver.conftest import ADMIN_KEY, TokenServer, bearer
from tests.support.identity_provider import IdentityProvider
from tests.support.wait import eventually

EVIL = 'eve\r\n{"level": "INFO"}\x1b[31m\u2028\x00\x07'
#: Control characters but for the end of a line.
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")


async def _say(store: SessionStore, session_id: SessionId, words: str) -> None:
    """Write down words as the agent of a session does."""
    agent = AgentProcess(worker_id=WorkerId("w1"), pid=1, job_id="j", prewarmed=True)
    await store.claim(session_id, 1, agent)
    await store.journal.log(session_id, [LogLine(level="INFO", text=words)])
    await store.conversations.append(session_id, 1, turn_id="t1", role="user", text=words)


def lines_of(log: Path) -> list[dict[str, Any]]:
    """Return the lines of a log; each is one JSON object, without a control character."""
    text = log.read_bytes().decode("ascii")
    assert not CONTROL.search(text)
    return [json.loads(line) for line in text.splitlines()]


async def logged(log: Path, request_id: str) -> dict[str, Any]:
    """Return the one line of a request, once it is there."""

    async def found() -> list[dict[str, Any]]:
        return [line for line in lines_of(log) if line.get("request_id") == request_id]

    (line,) = await eventually(found)
    return line


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/api/session/%0d%0a%7b%22level%22:%22INFO%22%7d"),
        ("GET", "/api/session/%1b%5b31m%1b%5d0;evil%07"),
        ("GET", "/api/session/%e2%80%a8%c2%85"),
        ("GET", "/x?token=" + "s" * 40),
        ("GET", "/" + "x" * 20_000),
        ("MKCALENDAR", "/api/health"),
    ],
    ids=lambda value: value[:30],
)
async def test_a_request_is_one_line_whatever_its_path(
    tokenserver: TokenServer, method: str, target: str
) -> None:
    """Attack 32: line ends, terminal escapes, and secrets in the path. One line, escaped, short."""
    request_id = secrets.token_hex(8)
    request = (
        f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"X-Request-ID: {request_id}\r\nUser-Agent: \u009b31mevil\r\n\r\n"
    )
    await spoken(tokenserver.url, request.encode())
    line = await logged(tokenserver.log, request_id)
    assert len(line["path"]) <= 200
    assert "s" * 40 not in json.dumps(line)
    assert line["method"] in {"GET", "other"}


@pytest.mark.parametrize(
    "head",
    ["EVIL /api/health HTTP/1.1", "GET /api/health HTTP/1.1\r\nUser-Agent: \x1b[31mevil"],
    ids=["a method of its own", "escapes"],
)
async def test_what_is_no_http_is_not_logged(tokenserver: TokenServer, head: str) -> None:
    """Attack 32: escapes, and methods that nobody knows. A 400, and nothing is quoted."""
    mark = secrets.token_hex(8)
    answer = await spoken(tokenserver.url, f"{head}\r\nHost: {mark}\r\n\r\n".encode())
    assert status_of(answer) == 400
    error = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (error["success"], error["error"]["code"]) == (False, "bad_request")
    assert mark not in tokenserver.log.read_text()
    assert mark.encode() not in answer


async def test_names_do_not_reach_the_log(
    http: httpx2.AsyncClient, tokenserver: TokenServer
) -> None:
    """Attack 32: line ends and escapes in the names of a token. They are not written at all."""
    request_id, mark = secrets.token_hex(8), secrets.token_hex(8)
    body = {
        "participant_name": EVIL + mark,
        "participant_metadata": EVIL + mark,
        "participant_attributes": {"plan": EVIL + mark},
    }
    answer = await http.post("/api/token", json=body, headers={"X-Request-ID": request_id})
    assert answer.status_code in {201, 400}
    await logged(tokenserver.log, request_id)
    assert mark not in tokenserver.log.read_text()


@pytest.mark.parametrize(
    "given",
    ["x" * 10_000, "x" * 65, "a b", "a;b", "\u00e4", "{}", "a\x1b[31m", "a\tb"],
    ids=["10 kB", "65", "space", "semicolon", "not ASCII", "braces", "escape", "tab"],
)
async def test_a_request_id_is_harmless_or_ours(tokenserver: TokenServer, given: str) -> None:
    """Attack 32: a request id that is too long or no plain word. We take one of our own."""
    request = (
        f"GET /api/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-ID: {given}\r\n\r\n"
    )
    answer = await spoken(tokenserver.url, request.encode("latin-1"))
    head = answer.partition(b"\r\n\r\n")[0]
    assert given.encode("latin-1") not in head
    if answer.startswith(b"HTTP/1.1 200"):
        assert re.search(rb"(?im)^x-request-id: [0-9a-f]{16}\r?$", head)
    else:
        assert answer.startswith(b"HTTP/1.1 400")


async def test_a_hundred_sessions_leave_nothing_private_behind(
    strict: TokenServer,
    strict_http: httpx2.AsyncClient,
    strict_store: SessionStore,
    provider: IdentityProvider,
) -> None:
    """Attack 33: what do the log (at DEBUG) and the metrics tell after 100 sessions of 100 users?

    Each is started, looked at, given a token, its words and log are read; one call fails. No
    token, secret, key, e-mail address, word or room; no id of anybody among the labels.
    """
    private = [ADMIN_KEY]
    ids: list[str] = []

    async def live(n: int) -> None:
        user, words = new_user(), f"my number is {secrets.token_hex(8)}"
        headers = as_user(provider, user) | {"X-Forwarded-For": f"10.33.0.{n}"}
        session = (await strict_http.post("/api/session/start", headers=headers)).json()
        owner = bearer(session["sessionSecret"])
        session_id = session["sessionId"]
        path = f"/api/session/{session_id}"
        await _say(strict_store, SessionId(session_id), words)
        named, rejoin = {"participant_name": words}, {"sessionId": session_id}
        token = (await strict_http.post("/api/token", json=named, headers=headers)).json()
        again = (await strict_http.post("/api/token", json=rejoin, headers=owner)).json()
        for call in ("", "?since=0&wait=1", "/logs", "/transcript", "/record"):
            answer = await strict_http.get(path + call, headers=owner)
            assert answer.status_code == 200, answer.text
            assert (words in answer.text) == (call in {"/logs", "/transcript"})
        await strict_http.get(path, headers=bearer(again["participantToken"]))
        await strict_http.get("/api/sessions", params={"user": user}, headers=ADMIN)
        await stop_any(strict_http, session_id)
        ids.append(session_id)
        private.extend([user.partition("@")[0], words, headers["X-Forwarded-For"]])
        private.append(headers["Authorization"].removeprefix("Bearer "))
        private.extend(made["participantToken"] for made in (session, token, again))
        private.extend([session["sessionSecret"], token["sessionSecret"]])

    at_once = asyncio.Semaphore(10)

    async def live_in_turn(n: int) -> None:
        async with at_once:
            await live(n)

    async with asyncio.TaskGroup() as group:
        for n in range(100):
            group.create_task(live_in_turn(n))
    log = strict.log.read_text()
    assert all(session_id in log for session_id in ids)
    assert len(private) > 800
    assert [text for text in private if text in log] == []
    lines_of(strict.log)
    metrics = (await strict_http.get("/metrics", headers=ADMIN)).text
    labels = "\n".join(re.findall(r"\{(.*)\}", metrics))
    assert "/api/session/{session_id}" in labels
    assert [text for text in private + ids if text in metrics] == []
    assert not re.search(r"[0-9a-f]{16}|vf-|@|10\.33\.", labels)
    assert len(metrics.splitlines()) < 1000
