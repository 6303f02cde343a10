"""What every request passes on its way in and out, as plain ASGI.

One canonical log line per request, the key, the body limits, and the last resort for errors.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
import uuid
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from localvoice.errors import ApiError, RequestTimedOut, ServerFault, TooLarge, Unauthorized
from localvoice.settings import Settings

_log = logging.getLogger("localvoice")

#: Slack for multipart boundaries and form fields beside the recording. Bytes.
_FORM_OVERHEAD = 64 * 1024
#: How much of a refused body is read and thrown away. Bytes.
_DRAIN_BYTES = 64 * 1024 * 1024


class Borders:
    """Wraps the application; one instance serves all requests and keeps no state of theirs."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._key = settings.api_key.get_secret_value().encode() if settings.api_key else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything but HTTP goes straight through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._settings)
        try:
            self._check_key(scope)
            exchange.check_length()
            await self._app(scope, exchange.receive, exchange.send)
        except ApiError as error:
            await exchange.refuse(error)
        except (ClientDisconnect, _StalledReader):
            exchange.outcome = "client gone"
        except Exception:  # noqa: BLE001 - the border of the application
            _log.exception("request failed", extra={"request_id": exchange.request_id})
            await exchange.refuse(ServerFault("something went wrong on this server"))
        finally:
            exchange.log()

    def _check_key(self, scope: Scope) -> None:
        if self._key is None or not scope["path"].startswith("/v1"):
            return
        given = Headers(scope=scope).get("authorization", "")
        scheme, _, key = given.partition(" ")
        # Compared as bytes and in constant time: the answer's delay tells nothing of the key.
        if scheme.lower() != "bearer" or not hmac.compare_digest(
            key.strip().encode("latin-1"), self._key
        ):
            raise Unauthorized("a key is needed: Authorization: Bearer <LOCALVOICE_API_KEY>")


class _StalledReader(Exception):
    """Raised when the client has not taken a byte of the reply for too long."""


class _Exchange:
    """One request and its reply: counts, deadlines and the log line."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, settings: Settings) -> None:
        self.request_id = uuid.uuid4().hex
        self.outcome = "done"
        self._scope = scope
        self._receive = receive
        self._send = send
        self._settings = settings
        self._started = time.monotonic()
        self._body_due = asyncio.get_running_loop().time() + settings.body_timeout_s
        self._status = 0
        self._bytes_in = 0
        self._bytes_out = 0
        self._body_read = False

    @property
    def _body_limit(self) -> int:
        kind = Headers(scope=self._scope).get("content-type", "")
        if kind.lower().startswith("multipart/"):
            return self._settings.max_upload_bytes + _FORM_OVERHEAD
        return self._settings.max_json_bytes

    def check_length(self) -> None:
        """Refuse by Content-Length before a byte is read. Raises TooLarge."""
        length = Headers(scope=self._scope).get("content-length", "")
        if length.isdecimal() and len(length) < 20 and int(length) > self._body_limit:
            raise self._too_large()

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is larger than {self._body_limit} bytes")

    async def receive(self) -> Message:
        """The next message. Raises TooLarge and RequestTimedOut while the body arrives."""
        if self._body_read:
            return await self._receive()  # waits for a disconnect: as long as the reply takes
        try:
            async with asyncio.timeout_at(self._body_due):
                message = await self._receive()
        except TimeoutError as error:
            raise RequestTimedOut("the request body did not arrive in time") from error
        if message["type"] == "http.request":
            self._bytes_in += len(message.get("body", b""))
            self._body_read = not message.get("more_body", False)
            if self._bytes_in > self._body_limit:
                raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        """Pass a message on. Raises _StalledReader when the client stopped reading."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            if not self._body_read and self._status >= 400:
                await self._drain()
                headers["Connection"] = "close"  # an unread rest is not the next request
        self._bytes_out += len(message.get("body", b""))
        try:
            async with asyncio.timeout(self._settings.send_timeout_s):
                await self._send(message)
        except TimeoutError as error:
            raise _StalledReader from error

    async def _drain(self) -> None:
        """Read a refused body to its end, within reason.

        A client that is still sending when the connection closes sees a reset and never the
        answer that says why.
        """
        drained = 0
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._body_due):
                while not self._body_read and drained < _DRAIN_BYTES:
                    message = await self._receive()
                    drained += len(message.get("body", b""))
                    self._body_read = not message.get("more_body", False)
        self._bytes_in += drained

    async def refuse(self, error: ApiError) -> None:
        """Answer with the error, unless an answer has already begun: then it is cut off."""
        if self._status:
            # Returning without the last piece makes the server close the connection, so the
            # client sees a broken reply and not a short one.
            self.outcome = f"broken off: {error.code}"
            return
        response = JSONResponse(error.body, status_code=error.status, headers=error.headers)
        await response(self._scope, self.receive, self.send)

    def log(self) -> None:
        """The canonical line: everything about a request but what was said in it."""
        health = self._scope["path"] in ("/healthz", "/readyz")
        _log.log(
            logging.DEBUG if health else logging.INFO,
            "request",
            extra={
                "request_id": self.request_id,
                "method": self._scope["method"],
                "path": self._scope["path"][:200],
                "status": self._status,
                "outcome": self.outcome,
                "bytes_in": self._bytes_in,
                "bytes_out": self._bytes_out,
                "took_s": round(time.monotonic() - self._started, 4),
            },
        )
