"""Calls of the TypeScript client that are answered late, never, by a gateway, or without end."""

from __future__ import annotations

import pytest

from tests.integration.client.node import node_at
from tests.integration.client.odd import (
    ASKED_SO_OFTEN,
    GATEWAY,
    flood,
    for_ever,
    slow_head,
)
from tests.support.odd_server import Answer, hang_up, refuses, says, streams
from tests.support.views import SESSION_ID, event, started, view
from tests.support.web import Scripts


async def test_a_start_is_repeated_with_its_key(scripts: Scripts) -> None:
    async with node_at(scripts, hang_up, GATEWAY, says(201, started())) as (client, asked):
        seen = await client.do("start")
    assert seen["value"] == {"id": SESSION_ID, "secret": "a-secret"}
    keys = {one.headers["idempotency-key"] for one in asked}
    assert (len(asked), len(keys)) == (3, 1)


@pytest.mark.parametrize(("answer", "times"), ASKED_SO_OFTEN, ids=range(len(ASKED_SO_OFTEN)))
async def test_only_what_may_be_over_soon_is_asked_again(
    scripts: Scripts, answer: Answer, times: int
) -> None:
    async with node_at(scripts, answer) as (client, asked):
        seen = await client.do("start")
    assert seen["error"]["name"] in {"ApiError", "Unreachable"}
    assert len(asked) == times


@pytest.mark.parametrize("answer", [for_ever, slow_head])
async def test_a_call_has_one_deadline(scripts: Scripts, answer: Answer) -> None:
    async with node_at(scripts, answer) as (client, _asked):
        for what in ("view", "stop", "freshToken"):
            error = (await client.do(what, timeoutSeconds=1))["error"]
            assert (error["name"], "within 1 s" in error["message"]) == ("Unreachable", True)
        error = (await client.do("follow", timeoutSeconds=1, patienceSeconds=0))["error"]
        assert error["name"] == "Unreachable"


async def test_an_answer_without_end_is_none_of_ours(scripts: Scripts) -> None:
    async with node_at(scripts, flood) as (client, _asked):
        error = (await client.do("view", timeoutSeconds=50))["error"]
    assert "not Voicefleet" in error["message"]


@pytest.mark.parametrize("what", ["start", "view", "follow", "stop", "admitted"])
async def test_who_aborts_gets_its_own_reason(scripts: Scripts, what: str) -> None:
    async with node_at(scripts, for_ever) as (client, asked):
        error = (await client.do(what, abortMs=500))["error"]
    assert (error["name"], error["isOurs"]) == ("TimeoutError", False)
    assert len(asked) == 1


@pytest.mark.parametrize("what", ["start", "follow"])
async def test_a_pause_can_be_aborted(scripts: Scripts, what: str) -> None:
    asking = refuses(503, "store_unavailable", 10)
    async with node_at(scripts, asking) as (client, asked):
        seen = await client.do(what, abortMs=1000)
    assert seen["error"]["name"] == "TimeoutError"
    assert seen["tookSeconds"] < 9
    assert len(asked) == 1


async def test_a_fleet_that_is_not_well_says_so(scripts: Scripts) -> None:
    unwell = {"success": False, "redis": "unavailable"}
    async with node_at(scripts, says(503, unwell)) as (client, _asked):
        assert (await client.do("health"))["value"] == unwell
    async with node_at(scripts, refuses(401, "unauthorized")) as (client, _asked):
        assert (await client.do("health"))["error"]["code"] == "unauthorized"


async def test_a_token_may_be_made_for_each_call(scripts: Scripts) -> None:
    async with node_at(scripts, says(200, view())) as (client, asked):
        for by in ("function", "promise"):
            await client.do("view", secret=None, token=by, tokenBy=by)
        late = await client.do("view", secret=None, tokenBy="never", timeoutSeconds=1)
    sent = [one.headers["authorization"] for one in asked]
    assert sent == ["Bearer function", "Bearer promise"]
    assert late["error"]["name"] == "Unreachable"


async def test_what_was_said_is_told_where_asking_again_takes_too_long(scripts: Scripts) -> None:
    answers = (refuses(503, "store_unavailable"), for_ever)
    async with node_at(scripts, *answers) as (client, asked):
        error = (await client.do("start", timeoutSeconds=2))["error"]
    assert (error["code"], len(asked)) == ("store_unavailable", 2)


async def test_an_id_is_no_path(scripts: Scripts) -> None:
    async with node_at(scripts, says(200, view())) as (client, asked):
        await client.do("view", id="../sessions?x=")
    assert asked[0].path.startswith("/api/session/..%2Fsessions%3Fx%3D?")


async def test_a_wait_for_nothing_tells_how_it_ended(scripts: Scripts) -> None:
    async with node_at(scripts, streams(event("expired"))) as (client, _asked):
        error = (await client.do("admitted"))["error"]
    assert (error["name"], error["message"]) == ("SessionOver", "It is expired.")
    assert error["view"]["status"] == "expired"


async def test_who_leaves_does_not_wait(scripts: Scripts) -> None:
    """The request is sent nevertheless, with the secret, and only once."""
    async with node_at(scripts, refuses(503, "store_unavailable")) as (client, asked):
        assert (await client.do("leave"))["error"] is None
    assert [(one.path, one.headers["authorization"]) for one in asked] == [
        ("/api/session/stop", "Bearer secret")
    ]
