"""``POST /v1/chat/completions``: the script, or the language model behind the relay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from localvoice.api import sse
from localvoice.api.body import read_json, validate
from localvoice.api.chat_request import ChatRequest
from localvoice.api.completion import Completion
from localvoice.brain import script
from localvoice.brain.conversation import Turn
from localvoice.brain.reply import Reply
from localvoice.relay import Relay
from localvoice.settings import Settings


async def create_chat_completion(request: Request) -> Response:
    """Streams or not, as asked. Raises ApiError."""
    body = await read_json(request)
    relay: Relay | None = request.app.state.relay
    if relay is not None:
        return await relay.forward(body)
    asked = validate(ChatRequest, body)
    completion = Completion(asked, _reply(asked, request.app.state.settings))
    if asked.stream:
        return StreamingResponse(
            _events(completion), media_type=sse.MEDIA_TYPE, headers=sse.HEADERS
        )
    return JSONResponse(completion.whole())


def _reply(asked: ChatRequest, settings: Settings) -> Reply:
    history, heard, latest = asked.turns()
    zone = ZoneInfo(settings.timezone) if settings.timezone else None

    def clock(wanted: tzinfo | None) -> datetime:
        return datetime.now(wanted or zone).astimezone(wanted or zone)

    turn = Turn(
        heard=heard,
        history=history,
        tools=asked.usable_tools(),
        clock=clock,
        zone_name=settings.timezone or "UTC",
    )
    return script.answer(turn, latest, asked.choice())


async def _events(completion: Completion) -> AsyncIterator[bytes]:
    for chunk in completion.chunks():
        yield sse.event(chunk)
    yield sse.DONE
