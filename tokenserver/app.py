"""The application on one screen: operations, middleware, errors, lifespan."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware

from telemetry.meter import Meter
from telemetry.metrics import API, NEIGHBOURS, SUPERVISOR, TRACES
from tokenserver.access.limits import Rule
from tokenserver.access.rules import ADMIN, ANYONE, LIVEKIT, OWNER, USER, USER_OR_OWNER
from tokenserver.contract.openapi import document as document_of
from tokenserver.endpoints import (
    admin,
    document,
    events,
    health,
    looks,
    metrics,
    options,
    records,
    sessions,
    tokens,
    webhooks,
)
from tokenserver.http.errors import HANDLED, answer_error
from tokenserver.http.guard import route
from tokenserver.http.middleware import AccessLog, CarefulCors, CarefulHeaders, PlainPaths
from tokenserver.http.operation import Operation, Unlimited
from tokenserver.lifespan import lifespan_of
from tokenserver.pages.routes import page_routes
from tokenserver.settings import TokenserverSettings

_PROBE = Unlimited(reason="A probe costs nothing: what it asks for is asked once a second at most.")
_SIGNED = Unlimited(reason="Nothing is done before LiveKit's signature has been checked.")

OPERATIONS = (
    Operation("POST", "/api/session/start", sessions.start_session, USER, Rule.STARTS),
    Operation("POST", "/api/session/stop", sessions.stop_session, OWNER, Rule.READS),
    Operation("GET", "/api/session/{session_id}", looks.get_session, OWNER, Rule.READS),
    Operation("GET", "/api/session/{session_id}/events", events.follow_session, OWNER, Rule.READS),
    Operation("GET", "/api/session/{session_id}/logs", records.get_logs, OWNER, Rule.READS),
    Operation(
        "GET", "/api/session/{session_id}/transcript", records.get_transcript, OWNER, Rule.READS
    ),
    Operation("GET", "/api/session/{session_id}/record", records.get_record, OWNER, Rule.READS),
    Operation(
        "POST", "/api/session/{session_id}/stop", sessions.stop_any_session, ADMIN, Rule.READS
    ),
    Operation("POST", "/api/token", tokens.create_token, USER_OR_OWNER, Rule.TOKENS),
    Operation("GET", "/api/sessions", admin.list_sessions, ADMIN, Rule.READS),
    Operation("GET", "/api/sessions/{session_id}", admin.get_any_session, ADMIN, Rule.READS),
    Operation("GET", "/api/fleet", admin.get_fleet, ADMIN, Rule.READS),
    Operation("GET", "/api/fleet/history", admin.get_fleet_history, ADMIN, Rule.READS),
    Operation("POST", "/api/pool/resize", admin.resize_pool, ADMIN, Rule.READS),
    Operation("POST", "/api/workers/{worker_id}/drain", admin.drain_worker, ADMIN, Rule.READS),
    Operation("GET", "/api/options", options.get_options, ANYONE, Rule.READS),
    Operation("GET", "/api/health", health.health, ANYONE, Rule.READS),
    Operation("GET", "/healthz", health.healthz, ANYONE, _PROBE),
    Operation("GET", "/readyz", health.readyz, ANYONE, _PROBE),
    Operation("GET", "/metrics", metrics.get_metrics, ADMIN, Rule.READS),
    Operation("POST", "/livekit/webhook", webhooks.receive_webhook, LIVEKIT, _SIGNED),
    Operation("GET", "/api/openapi.json", document.get_document, ANYONE, Rule.READS),
    Operation("GET", "/api/docs", document.get_page, ANYONE, Rule.READS),
)


def create_app(settings: TokenserverSettings) -> Starlette:
    """Return the token server as an ASGI application."""
    meter = Meter(API, NEIGHBOURS, SUPERVISOR, TRACES)
    # Not counted, and no operations: bytes in memory, the same for all, cost less than counting.
    pages = page_routes(settings)
    app = Starlette(
        routes=[*(route(operation) for operation in OPERATIONS), *pages],
        middleware=[
            Middleware(AccessLog, meter),
            Middleware(CarefulHeaders),
            Middleware(PlainPaths),
            Middleware(
                CarefulCors,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST"],
                allow_headers=[
                    "Authorization",
                    "Content-Type",
                    "Idempotency-Key",
                    "Last-Event-ID",
                    "X-Request-ID",
                ],
                expose_headers=[
                    "RateLimit-Limit",
                    "RateLimit-Remaining",
                    "RateLimit-Reset",
                    "Retry-After",
                    "X-Request-ID",
                ],
                max_age=600,
            ),
        ],
        exception_handlers=dict.fromkeys(HANDLED, answer_error),
        lifespan=lifespan_of(settings, meter, document_of(OPERATIONS)),
    )
    # A path with a slash too many is unknown, not moved.
    app.router.redirect_slashes = False
    return app
