"""The web server: it ends in good order, and is not kept busy by callers who say nothing."""

from __future__ import annotations

import asyncio
import gc
import signal
from http import HTTPStatus
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tokenserver.errors import ApiError
from tokenserver.http.errors import refusal
from tokenserver.settings import TokenserverSettings
from tokenserver.watchers import Watchers

#: Requests under way when the process is told to stop may take this long.
_GRACE_S = 5
#: Python's own is 700.
_OBJECTS_A_LOOK = 10_000
#: An honest client has sent its request line and headers by then.
HEAD_DEADLINE_S = 10.0
#: Proofs have 8 KiB at most, and browsers add one or two.
MAX_HEAD_BYTES = 64 * 1024


class PatientProtocol(HttpToolsProtocol):
    """Closes connections on which no whole request head arrives in time, or one without end.

    Uvicorn waits for one for ever, however long: callers who send a byte now and then could use up
    all connections ("slow loris"), and those who send many all memory.
    """

    _overdue: asyncio.TimerHandle | None = None
    _is_in_head = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.send_400_response("The head of this request is too long.")
        if self._is_answering():
            self._expect_nothing()
        elif self._overdue is None:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. Trailers come this way too, and are nothing that a proxy has looked at."""
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer. Raises ValueError, which makes it a 400, for a target that is no path:
        whoever writes whole addresses takes us for a proxy."""
        self._is_in_head = False
        if not self.url.startswith(b"/"):
            raise ValueError("the target of the request is not a path")
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, in the shape of all our errors."""
        answer = refusal(ApiError(HTTPStatus.BAD_REQUEST, "bad_request", msg), {})
        head = [b"HTTP/1.1 400 Bad Request", b"connection: close"]
        head += [b"%s: %s" % item for item in answer.raw_headers]
        self.transport.write(b"\r\n".join([*head, b"", bytes(answer.body)]))
        self.transport.close()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None until the first request
        return cycle is not None and not cycle.response_complete

    def _expect_head(self) -> None:
        self._overdue = self.loop.call_later(HEAD_DEADLINE_S, self._give_up)

    def _expect_nothing(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _give_up(self) -> None:
        self._overdue = None
        if not self._is_answering():
            self.transport.close()


class Server(uvicorn.Server):
    """Says that it is about to stop, lets balancers notice, then finishes what is under way.

    A second signal does not wait.
    """

    def __init__(self, app: Starlette, settings: TokenserverSettings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.tokenserver_host,
                port=settings.tokenserver_port,
                http=PatientProtocol,
                log_config=None,
                access_log=False,
                server_header=False,
                ws="none",
                limit_concurrency=settings.connections_limit,
                timeout_graceful_shutdown=_GRACE_S,
                # Addresses are read from headers by our own rule (access/addresses.py).
                proxy_headers=False,
            )
        )
        self._app = app
        self._delay_s = settings.shutdown_delay_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_told = False

    async def startup(self, sockets: Any = None) -> None:  # noqa: ANN401 - uvicorn's own
        """Begin to listen.

        What has been made by then stays, code above all: looking through it for garbage again and
        again held all requests up for 0.1 s at a time (docs of `gc.freeze`). A request leaves about
        a hundred objects that a look may find; one look for many requests costs less.
        """
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(_OBJECTS_A_LOOK, 10, 10)

    async def serve(self, sockets: Any = None) -> None:  # noqa: ANN401 - uvicorn's own
        """Serve until told to stop."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        """Take a signal. It arrives between any two steps of the program.

        Uvicorn would raise it once more at the end; but an end in good order has status 0.
        """
        if self._loop is None or self._is_told:
            self.force_exit = self.should_exit and sig == signal.SIGINT
            self.should_exit = True
            return
        self._is_told = True
        self._loop.call_soon_threadsafe(self._begin_to_stop)

    def _begin_to_stop(self) -> None:
        watchers: Watchers | None = getattr(self._app.state, "watchers", None)
        if watchers is None:  # not started yet
            self.should_exit = True
            return
        watchers.closing.set()
        asyncio.get_running_loop().call_later(self._delay_s, self._stop)

    def _stop(self) -> None:
        self.should_exit = True
