"""The TypeScript client that the page uses, run in Node.js against a real token server."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from tests.integration.tokenserver.conftest import CAPACITY, TokenServer
from tests.support.web import Scripts


@pytest.fixture
def seen(scripts: Scripts, tokenserver: TokenServer, http: httpx2.AsyncClient) -> dict[str, Any]:
    """What the client went through with one session more than there are slots."""
    del http
    printed = scripts.run("test/client.ts", tokenserver.url, str(CAPACITY + 1))
    outcome: dict[str, Any] = json.loads(printed)
    return outcome


def test_a_session_goes_through_the_queue_to_its_end(seen: dict[str, Any]) -> None:
    assert seen["waited"]["position"] == 1
    assert seen["statuses"][0] == "queued"
    assert "starting" in seen["statuses"]
    assert seen["statuses"][-1] == "ended"
    assert seen["joins"] is True
    assert (seen["logs"], seen["turns"], seen["record"]) == ([], [], [])
    assert seen["refused"] == {"status": 404, "code": "session_not_found"}
    assert seen["nobody"] is True
