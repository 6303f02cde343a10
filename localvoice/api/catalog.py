"""``GET /v1/models``: what is here. Every other model name is accepted too."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localvoice.errors import NotFound
from localvoice.settings import Settings

#: The day these names were first given out, as Unix time; the API wants one.
_CREATED = 1_790_000_000

SPEECH_TO_TEXT = "localvoice-whisper"
TEXT_TO_SPEECH = "localvoice-piper"
SCRIPT = "localvoice-script"


async def list_models(request: Request) -> Response:
    """All models."""
    names = _names(request.app.state.settings)
    return JSONResponse({"object": "list", "data": [_entry(name) for name in names]})


async def show_model(request: Request) -> Response:
    """One model. Raises NotFound."""
    name = request.path_params["name"]
    if name not in _names(request.app.state.settings):
        raise NotFound("there is no such model", param="model", code="model_not_found")
    return JSONResponse(_entry(name))


def _names(settings: Settings) -> list[str]:
    chat = SCRIPT if settings.llm_base_url is None else settings.llm_model
    return [name for name in (SPEECH_TO_TEXT, TEXT_TO_SPEECH, chat) if name]


def _entry(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "localvoice"}
