"""The word that a job process is to hand over its calls."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from tests.support.wait import eventually
from worker.call.notice import HAND_OVER, Notice


@pytest.fixture
def notice() -> Iterator[Notice]:
    before = signal.getsignal(HAND_OVER)
    one = Notice()
    one.install()
    yield one
    signal.signal(HAND_OVER, before)


def tell() -> None:
    os.kill(os.getpid(), HAND_OVER)


async def test_every_call_is_told_once_but_those_that_are_over(notice: Notice) -> None:
    told: list[str] = []

    def first() -> None:
        told.append("first")

    def second() -> None:
        told.append("second")

    def over() -> None:
        told.append("over")

    for listener in (first, second, over):
        notice.listen(listener, "AJ_any")
    notice.forget(over)
    tell()
    await eventually(lambda: _is(lambda: len(told) == 2))
    tell()
    await asyncio.sleep(0)
    assert told == ["first", "second"]


async def test_a_call_that_begins_after_the_word_is_told_at_once(notice: Notice) -> None:
    """The signal may come between the job and its entrypoint."""
    told: list[bool] = []
    tell()
    notice.listen(lambda: told.append(True), "AJ_any")
    await eventually(lambda: _is(lambda: told == [True]))


async def test_one_call_of_several_can_be_told(notice: Notice) -> None:
    """1. One is told, twice. 2. One is told that has not begun. 3. All are."""
    told: list[str] = []
    notice.listen(lambda: told.append("first"), "AJ_first")
    notice.listen(lambda: told.append("second"), "AJ_second")
    for job_id in ("AJ_second", "AJ_second", "AJ_third"):
        notice.give(job_id)
    notice.listen(lambda: told.append("third"), "AJ_third")
    await eventually(lambda: _is(lambda: told == ["second", "third"]))
    tell()
    await eventually(lambda: _is(lambda: told == ["second", "third", "first"]))


async def _is(condition: object) -> bool:
    assert callable(condition)
    return bool(condition())
