"""Hostile and mistaken requests: one shape for every error, and no traces in it."""

from __future__ import annotations

import asyncio
import json

import httpx2
import pytest

from tests.integration.localvoice import sounds
from tests.integration.localvoice.server import Server, running
from tests.support.plain import NO_TLS
from tests.support.recordings import packed

CHAT = "/v1/chat/completions"
SPEECH = "/v1/audio/speech"
SHAPE = {"message", "type", "param", "code"}


@pytest.mark.parametrize("path", [CHAT, SPEECH])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe{}",
        b'{"input": "\xc3"}',
        b'{"input": "\\ud800", "messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"speed": NaN, "input": "x"}',
        b'{"speed": Infinity, "input": "x"}',
        b'{"speed": 1e999, "input": "x"}',
        b'{"speed": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"{}",
        b'{"input": {}, "messages": {}}',
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_malformed_json(http: httpx2.AsyncClient, path: str, body: bytes) -> None:
    answer = await http.post(path, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert set(error) == SHAPE
    assert error["type"] == "invalid_request_error"
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1", 404, "not_found"),
        ("GET", "/v1/", 404, "not_found"),
        ("GET", "/v1/audio/speech/", 404, "not_found"),
        ("GET", "/v1/..%2f..%2fetc/passwd", 404, "not_found"),
        ("GET", "/v1/models/%00", 404, "model_not_found"),
        ("GET", CHAT, 405, "method_not_allowed"),
        ("DELETE", SPEECH, 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("PROPFIND", "/v1/models", 405, "method_not_allowed"),
    ],
)
async def test_paths_and_methods(
    http: httpx2.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await http.request(method, path)

    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert set(answer.json()["error"]) == SHAPE
    assert ("allow" in answer.headers) == (status == 405)


async def test_wrong_content_type(http: httpx2.AsyncClient) -> None:
    answer = await http.post(CHAT, content=b"{}", headers={"Content-Type": "text/plain"})

    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "unsupported_media_type"


@pytest.mark.parametrize("announced", [True, False])
async def test_huge_json_is_refused(http: httpx2.AsyncClient, announced: bool) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "x" * 2_000_000}]}).encode()

    async def pieces() -> object:
        for at in range(0, len(body), 65_536):
            yield body[at : at + 65_536]

    content = body if announced else pieces()
    answer = await http.post(
        CHAT,
        content=content,  # type: ignore[arg-type]
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"


async def test_upload_limits_in_bytes_and_seconds() -> None:
    with running(max_upload_bytes=200_000, max_audio_s=2) as server:
        async with httpx2.AsyncClient(base_url=server.url, timeout=60, verify=NO_TLS) as http:
            too_long = sounds.wav(sounds.silence(3))
            too_big = sounds.wav(sounds.silence(10))
            compressed = packed(sounds.silence(120), "ogg", "libopus")
            answers = [
                await http.post("/v1/audio/transcriptions", files={"file": ("a", data)})
                for data in (too_long, too_big, compressed)
            ]

    assert [answer.status_code for answer in answers] == [413, 413, 413]
    assert [answer.json()["error"]["code"] for answer in answers] == [
        "audio_too_long",
        "too_large",
        "audio_too_long",
    ]


async def test_a_body_that_stops_arriving_is_answered() -> None:
    """1. Announce 100 bytes. 2. Send 10. 3. Say no more. Result: 408, connection closed."""
    with running(body_timeout_s=0.3) as server:
        host, port = server.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
            b'{"messages'
        )
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"request_timeout" in answer


async def test_the_key_is_asked_for_everywhere_but_health() -> None:
    with running(api_key="correct horse") as server:
        async with httpx2.AsyncClient(base_url=server.url, timeout=30, verify=NO_TLS) as http:
            for key in ("", "Bearer", "Bearer wrong", "Basic correct horse", "Bearer corréct"):
                headers = [(b"Authorization", key.encode())]
                answer = await http.get("/v1/models", headers=headers)
                assert answer.status_code == 401, key
                assert answer.json()["error"]["code"] == "invalid_api_key"
                assert answer.headers["www-authenticate"] == "Bearer"
            unknown = await http.get("/v1/nothing-here")
            right = await http.get("/v1/models", headers={"Authorization": "Bearer correct horse"})
            health = await http.get("/healthz")
        assert "correct horse" not in server.log()

    assert unknown.status_code == 401
    assert right.status_code == 200
    assert health.status_code == 200


async def test_nothing_that_was_said_is_logged(server: Server, http: httpx2.AsyncClient) -> None:
    secret = "pamplemousse"
    sound = await http.post(SPEECH, json={"input": f"{secret}.", "response_format": "wav"})
    await http.post("/v1/audio/transcriptions", files={"file": (f"{secret}.wav", sound.content)})
    await http.post(CHAT, json={"messages": [{"role": "user", "content": secret}]})
    await http.post(CHAT, content=secret.encode(), headers={"Content-Type": "application/json"})
    await http.post(CHAT, json={"messages": [{"role": secret, "content": secret}]})

    assert secret not in server.log()
