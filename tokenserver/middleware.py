"""Every request gets an id and leaves one line in the log."""

from __future__ import annotations

import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("tokenserver.access")

_REQUEST_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
#: Asked every few seconds by probes; a line each would drown the others.
_UNLOGGED = frozenset({"/healthz", "/readyz"})


#: Ours are shorter; what is longer is nobody's business but an attacker's.
_MAX_PATH_CHARS = 200


class AccessLog:
    """Takes over the caller's `X-Request-ID` if it is harmless, and logs status and duration."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        began, status = time.perf_counter(), 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            if scope["path"] not in _UNLOGGED or status >= 500:
                logger.info(
                    "request",
                    extra={
                        "request_id": request_id,
                        "method": scope["method"],
                        "path": scope["path"][:_MAX_PATH_CHARS],
                        "status": status,
                        "duration_ms": round((time.perf_counter() - began) * 1000, 1),
                    },
                )
