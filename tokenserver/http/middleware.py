"""What surrounds every request: an id, a line in the log, headers that keep browsers careful."""

from __future__ import annotations

import logging
import re
import secrets
import time
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telemetry.meter import Meter
from telemetry.metrics import HTTP_DURATION, HTTP_REQUESTS
from tokenserver.errors import ApiError
from tokenserver.http.errors import refusal

logger = logging.getLogger("tokenserver.access")

_REQUEST_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
#: Asked every few seconds by probes; a line each would drown the others.
_UNLOGGED = frozenset({"/healthz", "/readyz", "/metrics"})
#: Ours are shorter; what is longer is nobody's business but an attacker's.
_MAX_PATH_CHARS = 200
#: These may last as long as there is nothing to say.
_UNTIMED = frozenset({"/api/session/{session_id}/events", "/api/session/{session_id}"})
#: Methods are a label: what is none of these counts as another.
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})


class AccessLog:
    """Takes over the caller's `X-Request-ID` if it is harmless; logs and counts each request."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app = app
        self._meter = meter

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
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            self._note(scope, request_id, status, time.perf_counter() - began)

    def _note(self, scope: Scope, request_id: str, status: int, took_s: float) -> None:
        # What the endpoint is called; pages share two names, so that files are no labels.
        route = scope.get("label", "unknown")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._meter.count(HTTP_REQUESTS, method=method, route=route, status=str(status))
        if route not in _UNTIMED:
            self._meter.observe(HTTP_DURATION, took_s, route=route)
        if scope["path"] in _UNLOGGED and status < 500:
            return
        logger.info(
            "request",
            extra={
                "request_id": request_id,
                "method": method,
                "route": route,
                "path": scope["path"][:_MAX_PATH_CHARS],
                "status": status,
                "duration_ms": round(took_s * 1000, 1),
                **scope.get("noted", {}),
            },
        )


class CarefulCors(CORSMiddleware):
    """Refuses pages of unknown origins in the shape of all our errors."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if any(name == b"origin" for name, _ in scope.get("headers", ())):
            await super().__call__(scope, receive, send)
        else:  # no page of another site asks
            await self.app(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        answer = super().preflight_response(request_headers)
        if answer.status_code == HTTPStatus.OK:
            return answer
        kept = {
            name: value
            for name, value in answer.headers.items()
            if name not in ("content-length", "content-type")
        }
        message = f"{bytes(answer.body).decode()}."
        return refusal(ApiError(HTTPStatus.BAD_REQUEST, "cors_refused", message), kept)


class PlainPaths:
    """Knows no path but those that are spelled plainly.

    `%2F` becomes a slash before routes are looked up, and could name another route than a proxy in
    front took it for. No path of ours needs an escape.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path") or b""
        if scope["type"] == "http" and (b"%" in raw or b"//" in raw or b"\\" in raw):
            scope = {**scope, "path": "/unknown", "raw_path": b"/unknown"}
        await self._app(scope, receive, send)


class CarefulHeaders:
    """Answers are not kept, not sniffed, not framed, and tell no other site where they were linked
    from."""

    #: OWASP REST Security Cheat Sheet, "Security headers"; a page sets a policy of its own.
    _HEADERS = (
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"cross-origin-resource-policy", b"same-site"),
    )

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_carefully(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] += [item for item in self._HEADERS if item[0] not in given]
            await send(message)

        await self._app(scope, receive, send_carefully if scope["type"] == "http" else send)
