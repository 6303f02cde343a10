"""``/healthz``: the process answers. ``/readyz``: the models are loaded, and how busy they are."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from localvoice.engines import Engines
from localvoice.gate import Gate


async def healthz(_: Request) -> Response:
    """Always 200 while the event loop turns."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """200 once both models are loaded, else 503."""
    engines: Engines = request.app.state.engines
    ready = engines.is_ready and not engines.stopping
    body = {
        "status": "ready" if ready else "loading",
        "transcription": _load(engines.stt),
        "speech": _load(engines.tts),
    }
    return JSONResponse(body, status_code=200 if ready else 503)


def _load(gate: Gate) -> dict[str, int]:
    return {"running": gate.running, "waiting": gate.waiting, "slots": gate.slots}
