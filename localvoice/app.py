"""The application on one screen: routes, borders, error handlers, life."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localvoice.api.borders import Borders
from localvoice.api.catalog import list_models, show_model
from localvoice.api.chat import create_chat_completion
from localvoice.api.health import healthz, readyz
from localvoice.api.speech import create_speech
from localvoice.api.transcriptions import create_transcription
from localvoice.audio.model_files import ModelFiles
from localvoice.engines import Engines
from localvoice.errors import ApiError, MethodNotAllowed, NotFound
from localvoice.relay import Relay
from localvoice.settings import Settings

_log = logging.getLogger("localvoice")

ROUTES = (
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
    Route("/v1/models", list_models, methods=["GET"]),
    Route("/v1/models/{name:path}", show_model, methods=["GET"]),
    Route("/v1/audio/transcriptions", create_transcription, methods=["POST"]),
    Route("/v1/audio/speech", create_speech, methods=["POST"]),
    Route("/v1/chat/completions", create_chat_completion, methods=["POST"]),
)


def create_app(
    settings: Settings, files: ModelFiles, *, on_failure: Callable[[], None]
) -> Starlette:
    """Build the application. ``on_failure`` is called when the models cannot be loaded."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            engines = Engines(settings, files)
            stack.callback(engines.close)
            app.state.engines = engines
            app.state.relay = None
            if settings.llm_base_url is not None:
                app.state.relay = await stack.enter_async_context(Relay(settings))
            # Loading goes on beside serving, so that /healthz answers meanwhile.
            loading = asyncio.create_task(_load(engines, on_failure))
            stack.push_async_callback(_cancel, loading)
            yield

    app = Starlette(
        routes=ROUTES,
        lifespan=lifespan,
        middleware=[Middleware(Borders, settings=settings)],
        exception_handlers={HTTPException: _http_error},
    )
    app.state.settings = settings
    # A redirect would make clients repeat an upload as a GET.
    app.router.redirect_slashes = False
    return app


async def _load(engines: Engines, on_failure: Callable[[], None]) -> None:
    try:
        await engines.load()
    except Exception:  # noqa: BLE001 - the border of a task: three libraries raise what they like
        _log.exception("models could not be loaded")
        on_failure()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _http_error(_: Request, error: Exception) -> Response:
    """Starlette's own 404 and 405 in our shape."""
    status = error.status_code if isinstance(error, HTTPException) else 400
    answer: ApiError
    if status == 404:
        answer = NotFound("there is nothing at this path")
    elif status == 405:
        answer = MethodNotAllowed("this path does not take this method")
    else:
        answer = ApiError("the request is malformed")
    headers = dict(getattr(error, "headers", None) or {}) | answer.headers
    return JSONResponse(answer.body, status_code=answer.status, headers=headers)
