"""Whatever the document allows, or forbids, is sent to a real server, which must keep its word.

schemathesis makes the requests: the edges of every field one by one, then some at random. All its
checks are on; where one cannot hold for an operation, `_excluded` says which and why.

CI sends the same requests each time. For many more, other ones each time:

    CONTRACT_TESTS=long .venv/bin/pytest tests/integration/tokenserver/contract --timeout=3600
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx2
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case

from devstack.settings import process_environment
from tests.integration.tokenserver.conftest import ADMIN_KEY, TokenServer, bearer
from tests.integration.tokenserver.test_webhooks import signature
from tests.support.plain import NO_TLS
from tokenserver.access.rules import LIVEKIT, OWNER
from tokenserver.app import OPERATIONS
from tokenserver.contract.openapi import document
from tokenserver.http.operation import Operation

IS_LONG = process_environment().get("CONTRACT_TESTS") == "long"
SCHEMA = schemathesis.openapi.from_dict(document(OPERATIONS))
for check in ("negative_data_rejection", "positive_data_acceptance"):
    # The limit of 16 KiB is one of bytes, and a schema counts characters: 413 is always possible.
    getattr(SCHEMA.config.checks, check).expected_statuses.append("413")
BY_LABEL = {f"{operation.method} {operation.path}": operation for operation in OPERATIONS}
SESSION_ID = re.compile(r"[0-9a-f]{32}")


class Sessions:
    """A session that is live and one that is over, for paths that name one."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(
            base_url=url, headers=bearer(ADMIN_KEY), timeout=20, verify=NO_TLS
        )
        self._live: str | None = None
        self._over: str | None = None

    @property
    def live(self) -> str:
        """The id of a session that nobody has stopped."""
        if self._live is None or not self._is_live(self._live):
            self.stop_all()
            self._live = self._start()
        return self._live

    @property
    def over(self) -> str:
        """The id of a session that was stopped."""
        if self._over is None:
            self._over = self.live
            self._stop(self._over)
        return self._over

    def stop_all(self) -> None:
        """Free all slots."""
        while page := self._http.get("/api/sessions").json()["sessions"]:
            for session in page:
                self._stop(session["sessionId"])

    def close(self) -> None:
        """Leave nothing behind."""
        self.stop_all()
        self._http.close()

    def _start(self) -> str:
        answer = self._http.post("/api/session/start", json={"queue": False})
        assert answer.status_code == 201, answer.text
        id_: str = answer.json()["sessionId"]
        return id_

    def _stop(self, id_: str) -> None:
        answer = self._http.post(f"/api/session/{id_}/stop")
        assert answer.status_code == 200, answer.text

    def _is_live(self, id_: str) -> bool:
        status = self._http.get(f"/api/session/{id_}").json()["status"]
        return status not in {"ending", "ended", "failed", "expired"}


@pytest.fixture(scope="module")
def sessions(tokenserver: TokenServer) -> Iterator[Sessions]:
    with closing(Sessions(tokenserver.url)) as sessions:
        yield sessions


@pytest.mark.timeout(3_600 if IS_LONG else 300)
@pytest.mark.parametrize("proof", [ADMIN_KEY, ""], ids=["admin", "nobody"])
@SCHEMA.parametrize()
@settings(
    max_examples=500 if IS_LONG else 12,
    derandomize=not IS_LONG,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_server_keeps_its_word(
    case: Case[Any], proof: str, tokenserver: TokenServer, sessions: Sessions
) -> None:
    operation = BY_LABEL[case.operation.label]
    name_a_session(case, sessions)
    headers = bearer(proof)
    if operation.access is LIVEKIT and proof:
        headers = signature(tokenserver.livekit, body_as_sent(case, tokenserver.url))
    case.call_and_validate(
        base_url=tokenserver.url,
        headers=headers,
        excluded_checks=excluded(operation, case),
        timeout=60,
    )


def name_a_session(case: Case[Any], sessions: Sessions) -> None:
    """Let half of the ids that could be a session's be one's: a random one never is."""
    places: tuple[tuple[Any, str], ...] = (
        (case.path_parameters, "session_id"),
        (case.body, "sessionId"),
    )
    for holder, name in places:
        id_ = holder.get(name) if isinstance(holder, dict) else None
        if isinstance(id_, str) and SESSION_ID.fullmatch(id_) and int(id_[-1], 16) % 2:
            holder[name] = sessions.over if waits(case) else sessions.live


def waits(case: Case[Any]) -> bool:
    """Say whether the answer would take long if the session were live."""
    return case.path.endswith("/events") or bool((case.query or {}).get("wait"))


def body_as_sent(case: Case[Any], url: str) -> bytes:
    """Return the bytes that schemathesis is about to send."""
    prepared = requests.Request(**case.as_transport_kwargs(base_url=url)).prepare()
    body: Any = prepared.body or b""
    return body.encode() if isinstance(body, str) else bytes(body)


def excluded(operation: Operation, case: Case[Any]) -> list[Any]:
    """Return the checks that cannot hold for a call."""
    names = []
    if operation.access is OWNER:
        # It wants a 401 for a wrong proof. To whoever does not own a session there is none: 404.
        # `test_error_shapes.py` checks both this and the 401 without any proof.
        names.append("ignored_auth")
    if operation.access is LIVEKIT:
        # Protocol buffers take what they know from a body and leave the rest, as LiveKit's next
        # version needs. Nobody but LiveKit gets this far: the signature is checked before.
        names.append("negative_data_rejection")
    if (case.query or {}).get("after"):
        # A cursor is good for the list that gave it, which no schema can say.
        names.append("positive_data_acceptance")
    if isinstance(case.body, dict) and "agent_name" in str(case.body.get("room_config")):
        # Which agents there are is a setting.
        names.append("positive_data_acceptance")
    if isinstance(case.body, dict) and case.body.get("persona") is not None:
        # And so is who may be asked for.
        names.append("positive_data_acceptance")
    return [schemathesis.checks.CHECKS.get_one(name) for name in names]
