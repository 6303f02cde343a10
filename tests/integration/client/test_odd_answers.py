"""Calls of the Python client that are answered late, never, by a gateway, or without end."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.client.fleets import fleet_at
from tests.integration.client.odd import (
    ASKED_SO_OFTEN,
    GATEWAY,
    flood,
    for_ever,
    slow_head,
)
from tests.support.odd_server import Answer, hang_up, refuses, says, streams
from tests.support.views import SESSION_ID, event, started, view
from voicefleet_client import ApiError, SessionOver, TokenSource, Unreachable


async def test_a_start_is_repeated_with_its_key() -> None:
    """1. Nobody answers. 2. A gateway does. 3. The server.

    Result: all three are one start to the server.
    """
    async with fleet_at(hang_up, GATEWAY, says(201, started())) as (fleet, asked):
        session = await fleet.start()
    assert session.id == SESSION_ID
    keys = {one.headers["idempotency-key"] for one in asked}
    assert (len(asked), len(keys)) == (3, 1)


@pytest.mark.parametrize(("answer", "times"), ASKED_SO_OFTEN, ids=range(len(ASKED_SO_OFTEN)))
async def test_only_what_may_be_over_soon_is_asked_again(answer: Answer, times: int) -> None:
    async with fleet_at(answer) as (fleet, asked):
        with pytest.raises((ApiError, Unreachable)):
            await fleet.start()
    assert len(asked) == times


@pytest.mark.parametrize("answer", [for_ever, slow_head])
async def test_a_call_has_one_deadline(answer: Answer) -> None:
    """However lively the server seems, and for streams until they begin."""
    async with fleet_at(answer, timeout_s=1) as (fleet, _asked):
        session = fleet.session(SESSION_ID, "secret")
        with pytest.raises(Unreachable, match="within 1 s"):
            await session.view()
        with pytest.raises(Unreachable):
            await anext(session.follow(patience_s=0))


async def test_what_was_said_is_told_where_asking_again_takes_too_long() -> None:
    async with fleet_at(refuses(503, "store_unavailable"), for_ever, timeout_s=2) as (fleet, asked):
        with pytest.raises(ApiError) as refusal:
            await fleet.start()
    assert (refusal.value.code, len(asked)) == ("store_unavailable", 2)


async def test_an_answer_without_end_is_none_of_ours() -> None:
    async with fleet_at(flood, timeout_s=50) as (fleet, _asked):
        with pytest.raises(Unreachable, match="not Voicefleet"):
            await fleet.session(SESSION_ID, "secret").view()


async def test_a_deadline_of_the_callers_is_the_callers() -> None:
    async with fleet_at(for_ever) as (fleet, _asked):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await fleet.start()


async def test_a_fleet_that_is_not_well_says_so() -> None:
    """A 503 of `/api/health` is its answer, and no refusal."""
    unwell = {"success": False, "redis": "down"}
    async with fleet_at(says(503, unwell)) as (fleet, _asked):
        assert await fleet.health() == unwell
    async with fleet_at(refuses(401, "unauthorized")) as (fleet, _asked):
        with pytest.raises(ApiError):
            await fleet.health()


async def test_a_token_may_be_made_for_each_call() -> None:
    made = iter("abc")

    async def later() -> str:
        return next(made)

    sources: list[TokenSource] = [lambda: next(made), later]
    sent = []
    for source in sources:
        async with fleet_at(says(200, {"success": True}), token=source) as (fleet, asked):
            await fleet.health()
            sent += [one.headers["authorization"] for one in asked]
    assert sent == ["Bearer a", "Bearer b"]


async def test_an_id_is_no_path() -> None:
    async with fleet_at(says(200, view())) as (fleet, asked):
        await fleet.session("../sessions?x=", "secret").view()
    assert asked[0].path.startswith("/api/session/..%2Fsessions%3Fx%3D?")


async def test_a_session_may_be_stopped_by_its_end() -> None:
    """With `async with`. What went wrong inside is not hidden by a server that went away."""
    async with (
        fleet_at(says(201, started()), says(200, view("ended"))) as (fleet, asked),
        await fleet.start(),
    ):
        pass
    assert [one.path for one in asked] == ["/api/session/start", "/api/session/stop"]
    async with fleet_at(says(201, started()), refuses(500, "internal_error")) as (fleet, asked):
        with pytest.raises(ZeroDivisionError):
            async with await fleet.start():
                raise ZeroDivisionError
        with pytest.raises(ApiError):
            async with fleet.session(SESSION_ID, "secret"):
                pass


async def test_a_wait_for_nothing_tells_how_it_ended() -> None:
    async with fleet_at(streams(event("expired"))) as (fleet, _asked):
        with pytest.raises(SessionOver, match="It is expired") as over:
            await fleet.session(SESSION_ID, "secret").admitted()
    assert over.value.view is not None
    assert over.value.view.status == "expired"
