"""LiveKit's webhooks on their way to the token servers: they may get lost, come twice or late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

import httpx2
from aiohttp import web

from devstack.services.ports import LOOPBACK
from tests.support.plain import NO_TLS

_ANSWER_WITHIN_S = 5.0
_PATH = "/livekit/webhook"


class Mail(StrEnum):
    """What becomes of webhooks."""

    PASS = "pass"  # nothing happens to them
    DROP = "drop"  # LiveKit is told that they arrived
    DOUBLE = "double"  # each comes twice
    HOLD = "hold"  # they wait until `release_here`, which may turn their order


@dataclass(frozen=True)
class _Letter:
    body: bytes
    headers: dict[str, str]


class Forwarder:
    """Takes LiveKit's webhooks on a port that stays, and hands each to a server that is up.

    As a balancer would: the next one is asked where one does not answer, and with none left
    LiveKit is told so, and repeats it.
    """

    def __init__(self, port: int, servers: Callable[[], Sequence[str]]) -> None:
        self.port = port
        self._servers = servers
        self._turn = 0
        self._held: list[_Letter] = []
        self._runner: web.AppRunner | None = None
        self._http: httpx2.AsyncClient | None = None
        self.mail = Mail.PASS
        #: How many came, and how many a server took.
        self.came = 0
        self.delivered = 0

    @property
    def url(self) -> str:
        """Where LiveKit sends them."""
        return f"http://{LOOPBACK}:{self.port}{_PATH}"

    async def start_here(self) -> None:
        """Listen. On the loop of its stage."""
        app = web.Application()
        app.router.add_post(_PATH, self._take)
        self._http = httpx2.AsyncClient(timeout=_ANSWER_WITHIN_S, verify=NO_TLS)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, self.port).start()

    async def close_here(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._http is not None:
            await self._http.aclose()

    async def release_here(self, *, is_reversed: bool = False) -> int:
        """Deliver what was held, in its order or the other way round; return how many.

        On the loop of its stage.
        """
        held, self._held = self._held, []
        for letter in reversed(held) if is_reversed else held:
            await self._deliver(letter)
        return len(held)

    async def _take(self, request: web.Request) -> web.Response:
        self.came += 1
        kept = ("authorization", "content-type")
        headers = {name: value for name, value in request.headers.items() if name.lower() in kept}
        letter = _Letter(await request.read(), headers)
        if self.mail is Mail.DROP:
            return web.Response()
        if self.mail is Mail.HOLD:
            self._held.append(letter)
            return web.Response()
        status = await self._deliver(letter)
        if self.mail is Mail.DOUBLE:
            status = await self._deliver(letter)
        return web.Response(status=status)

    async def _deliver(self, letter: _Letter) -> int:
        """Hand a webhook to one server; return its answer, 503 where there is none."""
        assert self._http is not None
        servers = list(self._servers())
        self._turn += 1
        for place in range(len(servers)):
            url = servers[(self._turn + place) % len(servers)]
            with suppress(httpx2.TransportError, asyncio.TimeoutError):
                answer = await self._http.post(
                    f"{url}{_PATH}", content=letter.body, headers=letter.headers
                )
                if answer.status_code < 500:
                    self.delivered += 1
                    return answer.status_code
        return 503
