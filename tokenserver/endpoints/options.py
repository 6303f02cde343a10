"""What a page has to know before it can offer a call."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import Response

from telemetry.version import VERSION
from tokenserver.contract.answers import Options
from tokenserver.http.answers import answer
from tokenserver.http.call import Call
from tokenserver.http.operation import handles


@handles("What may be asked for", answers={HTTPStatus.OK: Options}, needs_store=False)
async def get_options(call: Call) -> Response:
    """Return what a start may name, whether it needs a user token, and whether it may wait in
    line."""
    settings = call.state["settings"]
    return answer(
        Options(
            persona=settings.persona,
            personas=sorted(settings.persona_choice),
            auth_mode=settings.auth_mode,
            queue=settings.queue_limit > 0,
            version=VERSION,
        )
    )
