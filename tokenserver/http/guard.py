"""The way in: every operation is counted, read, checked and only then run.

In this order: what costs nothing first, and nothing is written before the caller may do it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel, RootModel, ValidationError
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from telemetry.metrics import RATE_LIMITED
from tokenserver.access.addresses import caller_address, limit_key
from tokenserver.access.limits import Rule, Verdict, rate_headers
from tokenserver.access.proofs import bearer, hash_secret, is_admin_key
from tokenserver.access.user_tokens import MAX_TOKEN_BYTES
from tokenserver.errors import ApiError
from tokenserver.http.bodies import read_json
from tokenserver.http.call import ApiRequest, Call, Caller
from tokenserver.http.errors import answer_error
from tokenserver.http.operation import Operation, Stream, Unlimited

_Model = TypeVar("_Model", bound=BaseModel)


class PathRoute(Route):
    """A path that is known, whatever the method: it is not looked for among later paths.

    Else `GET /api/session/start` would ask for the session "start", instead of being a 405.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL else match), child


def route(operation: Operation) -> Route:
    """Return the route of an operation. HEAD is answered where GET is, unless it would not end."""
    made = PathRoute(operation.path, guarded(operation), methods=[operation.method])
    contents = operation.handler.contract.answers.values()
    if made.methods and any(isinstance(content, Stream) for content in contents):
        made.methods.discard("HEAD")
    return made


def guarded(operation: Operation) -> Callable[[ApiRequest], Awaitable[Response]]:
    """Return the endpoint of an operation."""

    async def endpoint(request: ApiRequest) -> Response:
        verdict: Verdict | None = None
        request.scope["label"] = operation.path
        try:
            caller = _caller(request)
            verdict = await _counted(operation, request, caller)
            _check_allowed(operation, request, verdict)
            response = await _run(operation, request, caller)
        except Exception as error:  # noqa: BLE001 - every refusal carries the headers, too
            response = await answer_error(request, error)
        if verdict is not None:
            response.headers.update(rate_headers(verdict))
        return response

    return endpoint


async def _run(operation: Operation, request: ApiRequest, caller: Caller) -> Response:
    contract = operation.handler.contract
    call = Call(request=request, caller=caller)
    if contract.query is not None:
        call.query = checked(contract.query, _single(request))
    if contract.headers is not None:
        call.headers = checked(contract.headers, dict(request.headers))
    if contract.body is not None:
        body = checked(contract.body, await read_json(request))
        call.body = body.root if isinstance(body, RootModel) else body
    if not contract.needs_store:
        return await _run_checked(operation, call)
    with request.state["redis"].guard():
        return await _run_checked(operation, call)


async def _run_checked(operation: Operation, call: Call) -> Response:
    await operation.access.check(call)
    if call.owned is not None:
        call.note(**call.owned.log_fields)
    return await operation.handler.run(call)


def _caller(request: ApiRequest) -> Caller:
    settings = request.state["settings"]
    proof = bearer(request.headers.get("authorization", ""))
    if len(proof) > MAX_TOKEN_BYTES:  # longer than any kind of proof
        proof = ""
    return Caller(
        address=caller_address(request.scope, settings.trusted_proxy_hops),
        proof=proof,
        is_admin=bool(proof) and is_admin_key(settings, proof),
    )


async def _counted(operation: Operation, request: ApiRequest, caller: Caller) -> Verdict | None:
    """Count the call against its limit. Whoever has an admin key has a limit of its own."""
    if isinstance(operation.limit, Unlimited):
        return None
    limits = request.state["limits"]
    if caller.is_admin:
        verdict: Verdict = await limits.hit(Rule.ADMIN, hash_secret(caller.proof))
    else:
        verdict = await limits.hit(operation.limit, limit_key(caller.address))
    return verdict


def _check_allowed(operation: Operation, request: ApiRequest, verdict: Verdict | None) -> None:
    if verdict is not None and not verdict.is_allowed:
        request.state["meter"].count(RATE_LIMITED, route=operation.path)
        raise ApiError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "rate_limited",
            "Too many requests from you. Please wait a moment.",
            retry_after_s=verdict.reset_s,
        )


def checked(kind: type[_Model], value: dict[str, Any]) -> _Model:
    """Return the value as a model. Raises ApiError 400 that names the fields."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}".lstrip(": ")
            for problem in error.errors(include_input=False, include_url=False)
        ]
        message = "; ".join(problems[:5])[:1000]
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad_request", message) from None


def _single(request: ApiRequest) -> dict[str, str]:
    """Return the query, each name of which may come once."""
    query = request.query_params
    if len(query.multi_items()) != len(query):
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad_request", "A query parameter came twice.")
    return dict(query)
