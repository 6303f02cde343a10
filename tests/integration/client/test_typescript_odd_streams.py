"""`follow()` of the TypeScript client, and streams that no server of ours would send."""

from __future__ import annotations

import pytest

from tests.integration.client.node import node_at
from tests.integration.client.odd import FEW, IN_A_DAY, UNREADABLE
from tests.support.odd_server import Answer, refuses, says, streams
from tests.support.views import event
from tests.support.web import Scripts


@pytest.mark.parametrize("name", UNREADABLE)
async def test_what_cannot_be_read_is_tried_for_a_while(scripts: Scripts, name: str) -> None:
    async with node_at(scripts, UNREADABLE[name]) as (client, asked):
        seen = await client.do("follow", patienceSeconds=1)
    assert seen["error"]["name"] == "Unreachable", seen
    assert seen["views"] == []
    # A busy machine may take all of the patience for the first one.
    assert 1 <= len(asked) <= FEW


@pytest.mark.parametrize(
    ("first", "forever"),
    [(b"", b": still here\n\n"), (event(), b"x"), (event(), b"what: ever\n"), (event(), b"")],
    ids=["comments", "drops", "lines", "silence"],
)
async def test_what_says_nothing_for_long_is_given_up(
    scripts: Scripts, first: bytes, forever: bytes
) -> None:
    """Time goes fifteen times as fast: 45 seconds are three."""
    dropping = streams(first, forever=forever or b" ", each_s=0.05 if forever else 60)
    async with node_at(scripts, dropping) as (client, asked):
        seen = await client.do("follow", patienceSeconds=0, timeoutSeconds=300, haste=15)
    assert seen["error"]["name"] == "Unreachable", seen
    assert len(seen["views"]) == (1 if first else 0)
    assert len(asked) == 1


async def test_it_goes_on_after_a_stream_that_was_cut(scripts: Scripts) -> None:
    cut = streams(event(revision=3), event("ready", 4)[:50])
    again = streams(b": hello\n\n", event(revision=3), event("ready", 4))
    end = streams(event("ended", 5))
    async with node_at(scripts, cut, again, end) as (client, asked):
        seen = await client.do("follow")
    assert [view["status"] for view in seen["views"]] == ["starting", "ready", "ended"]
    assert [one.headers.get("last-event-id") for one in asked] == [None, "3", "4"]


async def test_lines_may_end_as_the_standard_allows(scripts: Scripts) -> None:
    text = "It\u2028is\x85over."
    ended = event("ended", message=text).replace(b"data: ", b"data:").replace(b"\n", b"\r\n")
    ended = ended.replace(b', "status"', b',\r\ndata:"status"')
    async with node_at(scripts, streams(ended)) as (client, _asked):
        seen = await client.do("follow")
    assert [view["message"] for view in seen["views"]] == [text]


async def test_streams_that_end_at_once_are_not_asked_for_without_a_pause(
    scripts: Scripts,
) -> None:
    """It is followed until the caller has had enough, which is no error of the server's."""
    async with node_at(scripts, streams(event())) as (client, asked):
        seen = await client.do("follow", abortMs=3000)
    assert seen["error"]["name"] == "TimeoutError"
    assert seen["error"]["isOurs"] is False
    assert [view["revision"] for view in seen["views"]] == [1]
    assert 2 <= len(asked) <= FEW + 1


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "unauthorized"), (403, "wrong_user"), (404, "session_not_found"), (410, "gone")],
)
async def test_refusals_are_passed_on_at_once(scripts: Scripts, status: int, code: str) -> None:
    async with node_at(scripts, refuses(status, code)) as (client, asked):
        error = (await client.do("follow"))["error"]
    assert (error["name"], error["status"], error["code"]) == ("ApiError", status, code)
    assert error["requestId"] == "odd-1"
    assert len(asked) == 1


async def test_a_limit_that_passes_is_waited_for(scripts: Scripts) -> None:
    limited = refuses(429, "rate_limited", 1)
    async with node_at(scripts, limited, streams(event("ended"))) as (client, _asked):
        seen = await client.do("follow")
    assert [view["status"] for view in seen["views"]] == ["ended"]
    assert seen["tookSeconds"] >= 1


async def test_a_limit_that_does_not_pass_is_passed_on(scripts: Scripts) -> None:
    async with node_at(scripts, refuses(429, "rate_limited", 1)) as (client, asked):
        error = (await client.do("follow", patienceSeconds=1))["error"]
    assert (error["code"], error["retryAfterSeconds"]) == ("rate_limited", 1)
    # A busy machine may take all of the patience for the first one.
    assert 1 <= len(asked) <= FEW


@pytest.mark.parametrize("answer", IN_A_DAY.values(), ids=IN_A_DAY)
async def test_nobody_is_kept_waiting_for_a_day(scripts: Scripts, answer: Answer) -> None:
    async with node_at(scripts, answer) as (client, asked):
        error = (await client.do("follow"))["error"]
    assert error["retryAfterSeconds"] == 86_400
    assert len(asked) == 1


async def test_no_content_is_the_end(scripts: Scripts) -> None:
    async with node_at(scripts, says(204)) as (client, asked):
        seen = await client.do("follow")
    assert (seen["views"], seen["error"], len(asked)) == ([], None, 1)
