"""What no server of ours would answer."""

from __future__ import annotations

import asyncio

from tests.support.odd_server import Answer, Asked, hang_up, refuses, says, streams
from tests.support.views import event

#: Streams that cannot be read.
UNREADABLE: dict[str, Answer] = {
    "a page": says(200, b"<html>Please log in.</html>", Content_Type="text/html"),
    "events as text": streams(event(), kind="text/plain"),
    "nothing": streams(),
    "only a line": streams(b"retry: 1000\n\n"),
    "noise": streams(b"\x00\xff\xfe\n\n" * 100),
    "data that is no JSON": streams(b"data: hello\n\n"),
    "JSON that is no session": streams(b'data: {"hello": "world"}\n\n'),
    "JSON without end": streams(b"data: " + b"[" * 100_000 + b"\n\n"),
    "a revision that is none": streams(event().replace(b'"revision": 1', b'"revision": "x\\ny"')),
    "half an event": streams(event()[:-40]),
    "an event without its end": streams(event()[:-1]),
    "no answer": hang_up,
    "a gateway": says(502, b"<html>Bad gateway</html>"),
    "a refusal of somebody else": says(404, b'{"error": "not found"}'),
    "a line without end": streams(b"data: ", forever=b"x" * 65_536),
    "an event without end": streams(forever=b"data: x\n" * 1000),
    "another place": says(302, b"", Location="http://127.0.0.1:9/"),
}
GATEWAY = says(503, b"<html>Nobody there</html>", Retry_After="1")
#: Answers to a call that does not wait, and how often in all a client asks.
ASKED_SO_OFTEN: list[tuple[Answer, int]] = [
    (hang_up, 3),
    (says(502, b"<html>"), 3),
    (refuses(503, "store_unavailable"), 3),
    (refuses(503, "store_unavailable", 3600), 1),
    (refuses(500, "internal_error"), 1),
    (refuses(429, "at_capacity", 1), 1),
    (refuses(409, "idempotency_conflict"), 1),
    (says(200, b"<html>Please log in.</html>"), 1),
    (says(200, {"hello": "world"}), 1),
    (says(200, []), 1),
    (says(404, b"<html>"), 1),
]
#: Answers that ask to come back in a day.
IN_A_DAY: dict[str, Answer] = {
    "our limit": refuses(429, "rate_limited", 86_400),
    "a gateway": says(503, b"<html>Be back tomorrow</html>", Retry_After="86400"),
}
#: As often may somebody ask within two seconds whose pauses begin with half a second and double.
FEW = 4


async def for_ever(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Answer in drops."""
    writer.write(b"HTTP/1.1 200 X\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def slow_head(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Not even come to the body."""
    writer.write(b"HTTP/1.1 200 X\r\nX: ")
    await for_ever(_, writer)


async def flood(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Answer as much as the other side takes."""
    writer.write(b"HTTP/1.1 200 X\r\n\r\n")
    while True:
        writer.write(b" " * 1_000_000)
        await writer.drain()
