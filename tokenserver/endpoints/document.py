"""The contract of this API, for programs and for people."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import HTMLResponse, JSONResponse, Response

from tokenserver.contract.page import POLICY, page
from tokenserver.http.call import Call
from tokenserver.http.operation import handles


@handles(
    "Read the contract (OpenAPI 3.1)",
    answers={HTTPStatus.OK: "application/json"},
    needs_store=False,
)
async def get_document(call: Call) -> Response:
    """Return this API as an OpenAPI document."""
    return JSONResponse(call.state["document"])


@handles("Read the contract as a page", answers={HTTPStatus.OK: "text/html"}, needs_store=False)
async def get_page(call: Call) -> Response:
    """Return this API as a page to read; it loads nothing from anywhere."""
    return HTMLResponse(page(call.state["document"]), headers={"Content-Security-Policy": POLICY})
