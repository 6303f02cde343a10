"""Readiness checks: ask a service the question its users will ask."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

ATTEMPT_TIMEOUT_S = 2.0
INTERVAL_S = 0.1
MAX_ANSWER_BYTES = 4096
DEFAULT_PORTS = {"http": 80, "redis": 6379}


class NotReady(Exception):
    """Raised by a check; the message says what the service answered."""


@dataclass(frozen=True)
class Check:
    """A question to a service: PING to `redis://host:port`, GET to `http://host:port/path`.

    Calling it returns when the service is ready, and raises `NotReady` or `OSError` when it is not.
    """

    url: str

    async def __call__(self) -> None:
        """Ask once."""
        parts = urlsplit(self.url)
        host, port = parts.hostname or "127.0.0.1", parts.port or DEFAULT_PORTS[parts.scheme]
        if parts.scheme == "redis":
            await _ping_redis(host, port)
        else:
            await _get(host, port, parts.path or "/")


def http_ok(url: str) -> Check:
    """Make a check that `GET url` answers 200."""
    return Check(url)


def redis_ping(port: int, host: str = "127.0.0.1") -> Check:
    """Make a check that Redis answers PING: it has loaded its data, too."""
    return Check(f"redis://{host}:{port}")


async def _get(host: str, port: int, path: str) -> None:
    request = f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode()
    answer = (await _exchange(host, port, request)).decode(errors="replace")
    status = answer.split(" ", 2)[1:2]
    if status != ["200"]:
        body = answer.partition("\r\n\r\n")[2].strip()[:200]
        raise NotReady(f"{path} answered {' '.join([*status, body]).strip() or 'nothing'}")


async def _ping_redis(host: str, port: int) -> None:
    answer = await _exchange(host, port, b"PING\r\nQUIT\r\n")
    if not answer.startswith(b"+PONG"):
        raise NotReady(f"PING answered {answer.splitlines()[:1]!r}")


async def _exchange(host: str, port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        answer = b""
        while len(answer) < MAX_ANSWER_BYTES and (chunk := await reader.read(MAX_ANSWER_BYTES)):
            answer += chunk
        return answer
    finally:
        writer.close()


async def verdict(check: Check) -> str | None:
    """Try a check once. Return None when ready, else why not."""
    try:
        async with asyncio.timeout(ATTEMPT_TIMEOUT_S):
            await check()
    except TimeoutError:
        return f"no answer within {ATTEMPT_TIMEOUT_S:.0f} s"
    except NotReady as error:
        return str(error)
    except ConnectionRefusedError:
        return "nobody listens"
    except OSError as error:
        return error.strerror or str(error) or type(error).__name__
    return None


async def until_ready(check: Check, deadline_s: float) -> None:
    """Repeat a check until it passes. Raise `NotReady` with the last reason after `deadline_s`."""
    reason: str | None = "never asked"
    try:
        async with asyncio.timeout(deadline_s):
            while (reason := await verdict(check)) is not None:  # noqa: ASYNC110 - asks a server
                await asyncio.sleep(INTERVAL_S)
    except TimeoutError:
        raise NotReady(reason or "no answer") from None
