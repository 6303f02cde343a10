"""Chat passed on: to a second localvoice, and to servers that are down, silent or broken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx2
import openai
import pytest

from devstack.services.ports import free_port
from tests.integration.localvoice.server import Server, running
from tests.support.plain import NO_TLS

ASKED = {"model": "asked-for", "messages": [{"role": "user", "content": "What is 7 plus 5?"}]}
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def relaying(server: Server) -> Iterator[Server]:
    """A server whose language model is the other server's script."""
    with running(llm_base_url=server.api, llm_model="renamed", llm_api_key="secret") as started:
        yield started


@pytest.fixture(scope="module")
def port() -> int:
    """Where the impatient server expects its language model; nobody is there at first."""
    return free_port()


@pytest.fixture(scope="module")
def impatient(port: int) -> Iterator[Server]:
    """A server that does not wait long for its language model."""
    with running(llm_base_url=f"http://127.0.0.1:{port}/v1", llm_read_timeout_s=1) as started:
        yield started


@asynccontextmanager
async def upstream(port: int, *pieces: bytes, hang: bool = False) -> AsyncIterator[None]:
    """A server that answers every connection with these bytes, then closes or hangs."""
    released = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if hang:
            await released.wait()
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", port)
    try:
        yield
    finally:
        released.set()
        listener.close()
        await listener.wait_closed()


async def post(server: Server, **more: object) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=server.url, timeout=30, verify=NO_TLS) as http:
        return await http.post(CHAT, json=ASKED | more)


def reply(status: str, body: bytes, *headers: str) -> bytes:
    """A raw HTTP reply."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def test_whole_answers_are_relayed(relaying: Server) -> None:
    async with openai.AsyncOpenAI(api_key="x", base_url=relaying.api, max_retries=0) as client:
        answer = await client.chat.completions.create(
            model="asked-for", messages=[{"role": "user", "content": "What is 7 plus 5?"}]
        )
        names = [model.id async for model in client.models.list()]

    assert answer.choices[0].message.content == "7 plus 5 is 12."
    assert answer.model == "renamed"
    assert names[-1] == "renamed"


async def test_streams_are_relayed(relaying: Server) -> None:
    async with openai.AsyncOpenAI(api_key="x", base_url=relaying.api, max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="asked-for",
            messages=[{"role": "user", "content": "Count to ten"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]

    assert chunks[-1].usage is not None
    assert "ten." in "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


async def test_errors_are_relayed_with_their_status(relaying: Server) -> None:
    answer = await post(relaying, messages=[])

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "messages"


async def test_nobody_there_is_502(impatient: Server) -> None:
    answer = await post(impatient)

    assert answer.status_code == 502
    assert "cannot be reached" in answer.json()["error"]["message"]


async def test_silence_is_504(impatient: Server, port: int) -> None:
    async with upstream(port, hang=True):
        answers = [await post(impatient), await post(impatient, stream=True)]

    assert [answer.status_code for answer in answers] == [504, 504]
    assert answers[0].json()["error"]["code"] == "timeout"


async def test_a_stream_that_falls_silent_ends_with_an_error(impatient: Server, port: int) -> None:
    chunk = b'{"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    async with (
        upstream(port, head, b"data: " + chunk + b"\n\n", hang=True),
        openai.AsyncOpenAI(api_key="x", base_url=impatient.api, max_retries=0) as client,
    ):
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "x"}], stream=True
        )
        # What was sent comes through before the failure does.
        assert (await anext(stream)).id == "1"
        with pytest.raises(openai.APIError, match="stopped answering"):
            await anext(stream)


@pytest.mark.parametrize(
    ("raw", "status", "message"),
    [
        (reply("200 OK", b"<html>"), 502, "without a completion"),
        (reply("302 Found", b"", "Location: http://127.0.0.1:9/"), 502, "answered 302"),
        (reply("500 Oops", b"stack trace"), 500, "answered 500"),
        (reply("404 Not Found", b'{"error": "model not found"}'), 404, "model not found"),
        (
            reply("429 Slow", b'{"error": {"message": "slow down"}}', "Retry-After: 7"),
            429,
            "slow down",
        ),
        (b"not http at all\r\n\r\n", 502, "broke"),
        (b"", 502, "broke"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", 502, "broke"),
    ],
)
async def test_odd_answers(
    impatient: Server, port: int, raw: bytes, status: int, message: str
) -> None:
    async with upstream(port, raw):
        answer = await post(impatient)

    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert message in error["message"]
    assert set(error) == {"message", "type", "param", "code"}
    assert answer.headers.get("retry-after") == ("7" if status == 429 else None)
    assert json.dumps(error).count("trace") == 0
