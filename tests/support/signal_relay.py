"""A relay in front of a real livekit-server that keeps one kind of message from participants.

    async with signal_relay(livekit_server.http_url) as relay:
        worker = await fleet.start_worker(LIVEKIT_URL=relay.url)

Who reaches LiveKit through it is never told that somebody has subscribed to their track; to the
LiveKit SDKs that happens when the message comes before they know their own track
(livekit/client-sdk-js#1878). All else is passed on as it came, both ways: HTTP requests, refusals
and what workers say, too. Media take a way of their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
from aiohttp import WSMsgType, web
from livekit.protocol import rtc
from yarl import URL

from tests.support.serving import serving
from tokenserver.watchers import first_of

#: Belong to one hop, or are made anew for the next one.
_OF_A_HOP = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade"})
_PARTICIPANTS = "/rtc"

_Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


class SignalRelay:
    """A running relay. `dropped` counts the messages that it kept."""

    def __init__(self, target: str, http: aiohttp.ClientSession) -> None:
        self.url = ""
        self.dropped = 0
        self._target = target
        self._http = http
        self._open: set[web.WebSocketResponse] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, and what comes of it back."""
        url = URL(f"{self._target}{request.raw_path}", encoded=True)
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in _OF_A_HOP and not name.lower().startswith("sec-websocket-")
        }
        if request.headers.get("upgrade", "").lower() == "websocket":
            return await self._connect(request, url, headers)
        body = await request.read()
        async with self._http.request(request.method, url, headers=headers, data=body) as answer:
            return web.Response(
                status=answer.status,
                body=await answer.read(),
                headers={"Content-Type": answer.headers.get("Content-Type", "text/plain")},
            )

    async def aclose(self) -> None:
        """Close all connections."""
        for socket in list(self._open):
            await socket.close()

    async def _connect(
        self, request: web.Request, url: URL, headers: dict[str, str]
    ) -> web.StreamResponse:
        try:
            onward = await self._http.ws_connect(
                url, headers=headers, autoping=False, max_msg_size=0
            )
        except aiohttp.WSServerHandshakeError as refusal:
            return web.Response(status=refusal.status, text=refusal.message)
        # livekit-server does not compress either.
        back = web.WebSocketResponse(autoping=False, max_msg_size=0, compress=False)
        async with onward:
            await back.prepare(request)
            self._open.add(back)
            try:
                keeps = request.path.startswith(_PARTICIPANTS)
                await first_of(
                    self._carry(back, onward, keeps=False), self._carry(onward, back, keeps=keeps)
                )
            finally:
                self._open.discard(back)
                await back.close()
        return back

    async def _carry(self, source: _Socket, sink: _Socket, *, keeps: bool) -> None:
        # A side that is gone is as good as one that has closed.
        with suppress(aiohttp.ClientConnectionError, ConnectionError):
            async for message in source:
                match message.type:
                    case WSMsgType.BINARY if keeps and _is_notice(message.data):
                        self.dropped += 1
                    case WSMsgType.BINARY:
                        await sink.send_bytes(message.data)
                    case WSMsgType.TEXT:
                        await sink.send_str(message.data)
                    case WSMsgType.PING:
                        await sink.ping(message.data)
                    case WSMsgType.PONG:
                        await sink.pong(message.data)


def _is_notice(data: bytes) -> bool:
    return bool(rtc.SignalResponse.FromString(data).HasField("track_subscribed"))


@asynccontextmanager
async def signal_relay(target: str) -> AsyncIterator[SignalRelay]:
    """Serve one on a free port of this machine; `target` is LiveKit's http URL."""
    app = web.Application(client_max_size=0)
    async with aiohttp.ClientSession(trust_env=False) as http:
        relay = SignalRelay(target, http)
        app.router.add_route("*", "/{path:.*}", relay.handle)
        async with serving(app) as address:
            relay.url = f"ws://{address}"
            try:
                yield relay
            finally:
                await relay.aclose()
