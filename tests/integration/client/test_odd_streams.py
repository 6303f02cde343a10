"""`follow()` of the Python client, and streams that no server of ours would send.

Whatever comes, it ends, takes little memory, and does not ask again and again without a pause.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from tests.integration.client.fleets import fleet_at
from tests.integration.client.odd import FEW, IN_A_DAY, UNREADABLE
from tests.support.odd_server import Answer, refuses, says, streams
from tests.support.views import SESSION_ID, event
from voicefleet_client import ApiError, SessionView, Unreachable, Voicefleet


@pytest.mark.parametrize("name", UNREADABLE)
async def test_what_cannot_be_read_is_tried_for_a_while(name: str) -> None:
    async with fleet_at(UNREADABLE[name]) as (fleet, asked):
        with pytest.raises(Unreachable):
            await anext(fleet.session(SESSION_ID, "secret").follow(patience_s=1))
    # A busy machine may take all of the patience for the first one.
    assert 1 <= len(asked) <= FEW


async def test_comments_without_end_are_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that is kept alive, but never says of what."""
    monkeypatch.setattr("voicefleet_client.session._SILENCE_S", 3.0)
    endless = streams(forever=b": still here\n\n", each_s=0.05)
    async with fleet_at(endless) as (fleet, _asked):
        with pytest.raises(Unreachable, match="nothing of use"):
            await anext(fleet.session(SESSION_ID, "secret").follow(patience_s=0))


@pytest.mark.parametrize("forever", [b"x", b"what: ever\n"])
async def test_drops_are_no_stream(monkeypatch: pytest.MonkeyPatch, forever: bytes) -> None:
    """After an event, bytes come one by one, or lines that mean nothing: it is not life."""
    monkeypatch.setattr("voicefleet_client.session._SILENCE_S", 3.0)
    dropping = streams(event(), forever=forever, each_s=0.05)
    async with fleet_at(dropping) as (fleet, _asked):
        views = fleet.session(SESSION_ID, "secret").follow(patience_s=0)
        assert (await anext(views)).status == "starting"
        with pytest.raises(Unreachable, match=r"too slowly|nothing of use"):
            await anext(views)


async def test_it_goes_on_after_a_stream_that_was_cut() -> None:
    """1. An event and a half. 2. The same again, and the next. 3. The end.

    Result: each is told once, and the server is told what is known already.
    """
    cut = streams(event(revision=3), event("ready", 4)[:50])
    again = streams(b": hello\n\n", event(revision=3), event("ready", 4))
    end = streams(event("ended", 5))
    async with fleet_at(cut, again, end) as (fleet, asked):
        views = [view async for view in fleet.session(SESSION_ID, "secret").follow()]
    assert [view.status for view in views] == ["starting", "ready", "ended"]
    known = [one.headers.get("last-event-id") for one in asked]
    assert known == [None, "3", "4"]


async def test_lines_may_end_as_the_standard_allows() -> None:
    """With a carriage return, without a space, in two lines; other separators are text."""
    text = "It\u2028is\x85over."
    ended = event("ended", message=text).replace(b"data: ", b"data:").replace(b"\n", b"\r\n")
    ended = ended.replace(b', "status"', b',\r\ndata:"status"')
    async with fleet_at(streams(ended)) as (fleet, _asked):
        views = [view async for view in fleet.session(SESSION_ID, "secret").follow()]
    assert [view.message for view in views] == [text]


async def test_streams_that_end_at_once_are_not_asked_for_without_a_pause() -> None:
    """Each tells the same again, as those of a server do that is about to stop."""
    seen: list[SessionView] = []

    async def follow(fleet: Voicefleet) -> None:
        async for view in _follow(fleet):
            seen.append(view)  # noqa: PERF401 - as they come, before the deadline

    async with fleet_at(streams(event())) as (fleet, asked):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(follow(fleet), 3)
    assert [view.revision for view in seen] == [1]
    assert 2 <= len(asked) <= FEW + 1


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "unauthorized"), (403, "wrong_user"), (404, "session_not_found"), (410, "gone")],
)
async def test_refusals_are_passed_on_at_once(status: int, code: str) -> None:
    async with fleet_at(refuses(status, code)) as (fleet, asked):
        with pytest.raises(ApiError) as refused:
            await anext(_follow(fleet))
    assert (refused.value.status, refused.value.code) == (status, code)
    assert refused.value.request_id == "odd-1"
    assert len(asked) == 1


async def test_a_limit_that_passes_is_waited_for() -> None:
    limited = refuses(429, "rate_limited", 1)
    async with fleet_at(limited, streams(event("ended"))) as (fleet, _asked):
        began = asyncio.get_running_loop().time()
        assert (await anext(_follow(fleet))).status == "ended"
        assert asyncio.get_running_loop().time() - began >= 1


async def test_a_limit_that_does_not_pass_is_passed_on() -> None:
    async with fleet_at(refuses(429, "rate_limited", 1)) as (fleet, asked):
        with pytest.raises(ApiError) as refused:
            await anext(fleet.session(SESSION_ID, "secret").follow(patience_s=1))
    assert (refused.value.code, refused.value.retry_after_s) == ("rate_limited", 1)
    # A busy machine may take all of the patience for the first one.
    assert 1 <= len(asked) <= FEW


@pytest.mark.parametrize("answer", IN_A_DAY.values(), ids=IN_A_DAY)
async def test_nobody_is_kept_waiting_for_a_day(answer: Answer) -> None:
    async with fleet_at(answer) as (fleet, asked):
        with pytest.raises((ApiError, Unreachable)) as refused:
            await anext(_follow(fleet))
    assert refused.value.retry_after_s == 86_400
    assert len(asked) == 1


async def test_no_content_is_the_end() -> None:
    async with fleet_at(says(204)) as (fleet, asked):
        assert [view async for view in _follow(fleet)] == []
    assert len(asked) == 1


def _follow(fleet: Voicefleet) -> AsyncGenerator[SessionView]:
    return fleet.session(SESSION_ID, "secret").follow()
