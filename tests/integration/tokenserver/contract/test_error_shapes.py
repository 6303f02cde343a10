"""Every operation answers every kind of mistake in the one shape of errors. A new one is covered
by itself: all tests here go through the list of operations.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus

import httpx2
import pytest

from devstack.install import tools
from devstack.services.keys import Keys
from devstack.services.ports import Ports
from devstack.services.servers import livekit_service, redis_service
from devstack.services.service import Service
from devstack.settings import process_environment
from tests.integration.tokenserver.conftest import (
    ADMIN_KEY,
    TokenServer,
    bearer,
    tokenserver_service,
    variables,
)
from tests.support.plain import NO_TLS
from tests.support.servers import program, running
from tokenserver.access.rules import LIVEKIT, OWNER, USER_OR_OWNER
from tokenserver.app import OPERATIONS
from tokenserver.contract.answers import Refusal
from tokenserver.http.operation import Operation

UNKNOWN = "0" * 32
SECRET = "s" * 43
#: What must never be in an answer: how it is made inside, and what was sent as a proof.
INSIDES = re.compile(r"Traceback|File \"|site-packages|redis\.|Error\(|127\.0\.0\.1", re.I)


def _is_proved(operation: Operation) -> bool:
    """Say whether a call of ours needs a proof: where it may name a session, it does."""
    return operation.access.is_strict or "sessionId" in (body_of(operation) or {})


def _reads_body(operation: Operation) -> bool:
    contract = operation.handler.contract
    return contract.body is not None or contract.raw_body is not None


def _needs_store(operation: Operation) -> bool:
    # A webhook that nobody signed does not get that far.
    return operation.handler.contract.needs_store and operation.access is not LIVEKIT


def _has_body(operation: Operation) -> bool:
    return operation.handler.contract.body is not None


def _has_query(operation: Operation) -> bool:
    return operation.handler.contract.query is not None


def _names_session(operation: Operation) -> bool:
    return "{session_id}" in operation.path


def _any(_: Operation) -> bool:
    return True


def concrete(operation: Operation, session_id: str = UNKNOWN) -> str:
    """Return a path with ids, of nobody unless a session is given."""
    return operation.path.format(session_id=session_id, worker_id="nobody")


def body_of(operation: Operation, session_id: str = UNKNOWN) -> dict[str, object] | None:
    """Return a body that the operation takes, or None where it takes none."""
    model = operation.handler.contract.body
    if model is None:
        return None
    fields = str(model.model_json_schema(by_alias=True))
    known = {"sessionId": session_id, "size": 1}
    return {name: value for name, value in known.items() if name in fields}


def those(feature: Callable[[Operation], bool]) -> pytest.MarkDecorator:
    """Run a test for each operation of which something is so."""
    return pytest.mark.parametrize(
        "operation",
        [
            pytest.param(operation, id=f"{operation.method} {operation.path}")
            for operation in OPERATIONS
            if feature(operation)
        ],
    )


@pytest.fixture(scope="module")
def api(tokenserver: TokenServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=tokenserver.url, timeout=20, verify=NO_TLS) as client:
        yield client


@pytest.fixture(scope="module", params=[signal.SIGKILL, signal.SIGSTOP], ids=lambda it: it.name)
def without_redis(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx2.Client]:
    """A token server whose Redis has gone, or takes calls and never answers.

    Its LiveKit is well: were it away, too, that might be what a start is refused for.
    """
    run_dir, keys, env = tmp_path_factory.mktemp("api"), Keys.generate(), process_environment()
    binary, livekit = program(tools.REDIS), program(tools.LIVEKIT)

    def describe(ports: Ports) -> list[Service]:
        log = run_dir / "tokenserver.log"
        return [
            redis_service(binary, port=ports.redis, run_dir=run_dir, env=env, is_durable=False),
            livekit_service(
                livekit, ports=ports, keys=keys, run_dir=run_dir, env=env, webhook_url=None
            ),
            tokenserver_service(env | variables(ports, keys), ports, log, ready="healthz"),
        ]

    with (
        running(describe, "without_redis") as (stack, ports),
        httpx2.Client(
            base_url=f"http://127.0.0.1:{ports.tokenserver}", timeout=20, verify=NO_TLS
        ) as client,
    ):
        os.kill(stack.pids["redis"], request.param)
        yield client
        if request.param is signal.SIGSTOP:
            os.kill(stack.pids["redis"], signal.SIGCONT)


@pytest.fixture(scope="module")
def live_session(api: httpx2.Client) -> Iterator[str]:
    """The id of a session that is somebody's."""
    answer = api.post("/api/session/start", headers=bearer(ADMIN_KEY))
    assert answer.status_code == 201, answer.text
    id_ = answer.json()["sessionId"]
    yield id_
    stopped = api.post(f"/api/session/{id_}/stop", headers=bearer(ADMIN_KEY))
    assert stopped.json()["status"] in {"ending", "ended"}


@those(_is_proved)
def test_without_proof(api: httpx2.Client, live_session: str, operation: Operation) -> None:
    answer = send(api, operation, session_id=live_session)
    assert_refused(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@those(_is_proved)
@pytest.mark.parametrize("proof", [SECRET, "a.b.c", ADMIN_KEY[:-1], "x" * 9000])
def test_with_a_wrong_proof(
    api: httpx2.Client, live_session: str, operation: Operation, proof: str
) -> None:
    """Who owns nothing learns nothing; and a proof that is too long for one is none."""
    answer = send(api, operation, session_id=live_session, headers=bearer(proof))
    is_hidden = operation.access in (OWNER, USER_OR_OWNER) and len(proof) < 9000
    expected = (404, "session_not_found") if is_hidden else (401, "unauthorized")
    assert_refused(answer, *expected)
    assert proof not in answer.text
    looked = api.get(f"/api/session/{live_session}", headers=bearer(ADMIN_KEY))
    assert looked.json()["status"] == "starting", "and it changed nothing"


@those(_names_session)
@pytest.mark.parametrize("id_", [UNKNOWN, "start", "0" * 31, "x" * 5000])
def test_unknown_session(api: httpx2.Client, operation: Operation, id_: str) -> None:
    path = operation.path.replace("{session_id}", id_)
    answer = api.request(operation.method, path, headers=bearer(ADMIN_KEY))
    if any(operation.path == path for operation in OPERATIONS):
        assert_refused(answer, 405, "method_not_allowed")
    else:
        assert_refused(answer, 404, "session_not_found")


@those(_any)
@pytest.mark.parametrize(
    "method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "other"]
)
def test_wrong_method(api: httpx2.Client, operation: Operation, method: str) -> None:
    if method == "other":
        method = "GET" if operation.method == "POST" else "POST"
    answer = api.request(method, concrete(operation), headers=bearer(ADMIN_KEY))
    assert_refused(answer, 405, "method_not_allowed")
    allowed = set(answer.headers["Allow"].split(", "))
    assert operation.method in allowed
    assert allowed <= {operation.method, "HEAD"}


@those(_any)
def test_head(api: httpx2.Client, operation: Operation) -> None:
    """HEAD says what GET would, without a body, and is refused where it would not end."""
    answer = api.head(concrete(operation), headers=bearer(ADMIN_KEY))
    assert answer.content == b""
    assert answer.headers["X-Request-ID"]
    if operation.method == "POST" or operation.path.endswith("/events"):
        assert answer.status_code == 405
        assert answer.headers["Allow"] == operation.method
    else:
        got = api.get(concrete(operation), headers=bearer(ADMIN_KEY))
        assert answer.status_code == got.status_code
        assert answer.headers["Content-Type"] == got.headers["Content-Type"]


@those(_any)
def test_preflight_of_an_unknown_page(api: httpx2.Client, operation: Operation) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": operation.method}
    answer = api.options(concrete(operation), headers=headers)
    assert_refused(answer, 400, "cors_refused")
    assert "Access-Control-Allow-Origin" not in answer.headers


@those(_has_body)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
def test_wrong_content_type(api: httpx2.Client, operation: Operation, kind: str) -> None:
    headers = bearer(ADMIN_KEY) | {"Content-Type": kind}
    answer = api.request(operation.method, concrete(operation), content=b"{}", headers=headers)
    assert_refused(answer, 415, "unsupported_media_type")


@those(_reads_body)
def test_a_body_that_is_too_large(api: httpx2.Client, operation: Operation) -> None:
    headers = bearer(ADMIN_KEY) | {"Content-Type": "application/json"}
    body = b'"' + b"x" * 300_000 + b'"'
    answer = api.request(operation.method, concrete(operation), content=body, headers=headers)
    assert_refused(answer, 413, "body_too_large")


@those(_has_body)
@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"\xff", b'{"a":1e999}', b"[" * 9000])
def test_malformed_json(api: httpx2.Client, operation: Operation, body: bytes) -> None:
    headers = bearer(ADMIN_KEY) | {"Content-Type": "application/json"}
    answer = api.request(operation.method, concrete(operation), content=body, headers=headers)
    assert_refused(answer, 400, "bad_request")
    assert answer.json()["error"]["message"].startswith("The body "), "not a word about its fields"


@those(_has_body)
def test_a_field_that_is_unknown(api: httpx2.Client, operation: Operation) -> None:
    answer = send(api, operation, json={"nonsense": SECRET}, headers=bearer(ADMIN_KEY))
    assert_refused(answer, 400, "bad_request")
    assert "nonsense" in answer.json()["error"]["message"]
    assert SECRET not in answer.text


@those(_has_query)
@pytest.mark.parametrize("query", ["?nonsense=1", "?limit=1&limit=2", "?last=x&wait=nan&limit=0"])
def test_a_query_that_is_wrong(api: httpx2.Client, operation: Operation, query: str) -> None:
    answer = api.request(operation.method, concrete(operation) + query, headers=bearer(ADMIN_KEY))
    assert_refused(answer, 400, "bad_request")


@those(_needs_store)
def test_without_redis(without_redis: httpx2.Client, operation: Operation) -> None:
    """Soon, and with a time to come back; later at once, when the circuit is open."""
    for _ in range(2):
        answer = send(without_redis, operation, headers=bearer(ADMIN_KEY))
        if answer.status_code == HTTPStatus.CREATED:
            assert operation.path == "/api/token", "a token for a fresh room needs no store"
            continue
        assert_refused(answer, 503, "store_unavailable")
        assert int(answer.headers["Retry-After"]) <= 10
        assert answer.elapsed.total_seconds() < 10


@pytest.mark.parametrize("path", ["/", "/nowhere", "/api", "/api/", "/api/token/", "/metrics/x"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
def test_unknown_path(api: httpx2.Client, path: str, method: str) -> None:
    assert_refused(api.request(method, path), 404, "not_found")


def send(
    client: httpx2.Client,
    operation: Operation,
    *,
    session_id: str = UNKNOWN,
    headers: Mapping[str, str] | None = None,
    json: object = None,
) -> httpx2.Response:
    """Send a request that is right but for what a test changes."""
    body = body_of(operation, session_id) if json is None else json
    path = concrete(operation, session_id)
    return client.request(operation.method, path, headers=headers, json=body)


def assert_refused(answer: httpx2.Response, status: int, code: str) -> None:
    """Check that an answer is an error in our one shape, and tells nothing that it should not."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-ID"])
    assert not INSIDES.search(answer.text), answer.text
    assert ADMIN_KEY not in answer.text
    content = answer.json()
    Refusal.model_validate(content, strict=True)
    assert set(content) == {"success", "error"}
    assert set(content["error"]) <= {"code", "message", "retryAfter"}
    assert content["error"]["code"] == code
    assert content["error"]["message"][-1] in ".!" or status == HTTPStatus.BAD_REQUEST
    assert ("retryAfter" in content["error"]) == ("Retry-After" in answer.headers)
    if "Retry-After" in answer.headers:
        assert content["error"]["retryAfter"] == int(answer.headers["Retry-After"])
