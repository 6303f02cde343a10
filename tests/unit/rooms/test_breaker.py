"""Closed, open, half-open: who is let through, and what the outcome does."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

import pytest

from rooms.breaker import Breaker, BreakerOpen, BreakerState
from rooms.errors import LiveKitSpared, LiveKitUnavailable

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
LIMIT, OPEN_S = 3, 10.0


class SilenceError(Exception):
    """The neighbour did not answer."""


class RefusalError(Exception):
    """It did, and said no."""


class UnaskedError(Exception):
    """It was not asked at all."""


class Rig:
    """A breaker with its clock, and what its observer has heard."""

    def __init__(self, chance: float = 0.0) -> None:
        self.now_s = 1000.0
        self.heard: list[BreakerState] = []
        self.breaker = Breaker(
            "neighbour",
            failures=LIMIT,
            open_s=OPEN_S,
            failing=(SilenceError,),
            silent=(UnaskedError,),
            on_change=self.heard.append,
            clock=lambda: self.now_s,
            chance=lambda: chance,
        )

    def call(self, error: BaseException | None = None) -> None:
        """Make one call that ends like this; what it raises is the test's own doing."""
        expected = (SilenceError, RefusalError, UnaskedError, asyncio.CancelledError)
        with suppress(*expected), self.breaker.guard():
            if error is not None:
                raise error

    def is_refused(self) -> bool:
        try:
            self.call()
        except BreakerOpen:
            return True
        return False

    def open(self) -> None:
        for _ in range(LIMIT):
            self.call(SilenceError())
        assert self.breaker.state is OPEN


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_it_opens_after_failures_in_a_row(rig: Rig) -> None:
    for _ in range(LIMIT - 1):
        rig.call(SilenceError())
    rig.call()
    for _ in range(LIMIT - 1):
        rig.call(SilenceError())
    assert rig.breaker.state is CLOSED
    rig.call(SilenceError())
    assert rig.breaker.state is OPEN
    assert rig.is_refused()


def test_an_answer_is_no_failure_whatever_it_says(rig: Rig) -> None:
    for _ in range(LIMIT - 1):
        rig.call(SilenceError())
    for error in (RefusalError(), SilenceError(), SilenceError()):
        rig.call(error)
    assert rig.breaker.state is CLOSED


@pytest.mark.parametrize("error", [asyncio.CancelledError(), UnaskedError()], ids=repr)
def test_a_call_that_did_not_get_there_says_nothing(rig: Rig, error: BaseException) -> None:
    for _ in range(LIMIT * 2):
        rig.call(error)
    assert rig.breaker.state is CLOSED
    for _ in range(LIMIT - 1):
        rig.call(SilenceError())
    rig.call(error)
    rig.call(SilenceError())
    assert rig.breaker.state is OPEN


def test_the_refusal_says_when_to_come_again(rig: Rig) -> None:
    rig.open()
    rig.now_s += 2.5
    assert rig.breaker.retry_after_s == OPEN_S - 2.5
    with pytest.raises(BreakerOpen, match="neighbour") as caught, rig.breaker.guard():
        pytest.fail("entered")
    assert caught.value.retry_after_s == 8


def test_one_call_tries_it_out_and_the_others_are_refused(rig: Rig) -> None:
    rig.open()
    rig.now_s += OPEN_S
    with rig.breaker.guard():
        assert rig.breaker.state is HALF_OPEN
        with pytest.raises(BreakerOpen) as caught, rig.breaker.guard():
            pytest.fail("entered")
        assert caught.value.retry_after_s == 1
    assert rig.breaker.state is CLOSED
    assert not rig.is_refused()


def test_not_before_its_time(rig: Rig) -> None:
    rig.open()
    rig.now_s += OPEN_S - 0.01
    assert rig.is_refused()
    assert rig.breaker.state is OPEN


def test_one_failure_opens_a_half_open_one_for_as_long_again(rig: Rig) -> None:
    rig.open()
    rig.now_s += OPEN_S
    rig.call(SilenceError())
    assert rig.breaker.state is OPEN
    assert rig.breaker.retry_after_s == OPEN_S
    assert rig.is_refused()


def test_a_refusing_neighbour_is_there_again(rig: Rig) -> None:
    rig.open()
    rig.now_s += OPEN_S
    rig.call(RefusalError())
    assert rig.breaker.state is CLOSED


@pytest.mark.parametrize("error", [asyncio.CancelledError(), UnaskedError()], ids=repr)
def test_a_try_that_did_not_get_there_leaves_it_to_the_next_caller(
    rig: Rig, error: BaseException
) -> None:
    rig.open()
    rig.now_s += OPEN_S
    rig.call(error)
    assert rig.breaker.state is HALF_OPEN
    assert not rig.is_refused()
    assert rig.breaker.state is CLOSED


def test_a_late_cancellation_makes_no_room_for_a_second_try(rig: Rig) -> None:
    late = rig.breaker.guard()
    late.__enter__()
    rig.open()
    rig.now_s += OPEN_S
    with rig.breaker.guard():
        error = asyncio.CancelledError()
        late.__exit__(asyncio.CancelledError, error, None)
        assert rig.is_refused()


def test_closed_again_it_counts_from_the_start(rig: Rig) -> None:
    rig.open()
    rig.now_s += OPEN_S
    rig.call()
    for _ in range(LIMIT - 1):
        rig.call(SilenceError())
    assert rig.breaker.state is CLOSED


def test_pauses_differ_by_up_to_a_fifth() -> None:
    pauses = []
    for chance in (0.0, 0.5, 1.0):
        rig = Rig(chance)
        rig.open()
        pauses.append(rig.breaker.retry_after_s)
    assert pauses == pytest.approx([OPEN_S, OPEN_S * 1.1, OPEN_S * 1.2])


def test_late_failures_neither_prolong_a_pause_nor_count_again(rig: Rig) -> None:
    """1. Six calls begin. 2. Three fail and open it. 3. The rest fails later, at various times."""
    late = [rig.breaker.guard() for _ in range(LIMIT)]
    for guard in late:
        guard.__enter__()
    rig.open()
    rig.now_s += 5
    fail(late[0])
    assert rig.breaker.retry_after_s == OPEN_S - 5
    rig.now_s += 5
    with rig.breaker.guard():
        fail(late[1])
        assert rig.breaker.state is HALF_OPEN
        assert rig.is_refused()
    fail(late[2])
    rig.call(SilenceError())
    rig.call(SilenceError())
    assert rig.breaker.state is CLOSED


def test_a_late_success_does_not_close_it(rig: Rig) -> None:
    late = rig.breaker.guard()
    late.__enter__()
    rig.open()
    late.__exit__(None, None, None)
    assert rig.breaker.state is OPEN


def test_each_change_is_told_and_logged_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "breaker")
    rig.open()
    assert all(rig.is_refused() for _ in range(5))
    rig.now_s += OPEN_S
    rig.call(SilenceError())
    rig.now_s += OPEN_S
    rig.call()
    rig.call()
    assert rig.heard == [OPEN, HALF_OPEN, OPEN, HALF_OPEN, CLOSED]
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"circuit breaker {state}" for state in rig.heard]
    assert {vars(record)["dependency"] for record in caplog.records} == {"neighbour"}


async def test_many_at_once_are_refused_once_enough_have_failed() -> None:
    """A deadline inside the guard is a failure; twenty that wait together wait once."""
    rig = Rig()
    never = asyncio.Event()
    entered = 0

    async def call() -> str:
        nonlocal entered
        try:
            with rig.breaker.guard():
                entered += 1
                await silent(never)
        except SilenceError:
            return "failed"
        except BreakerOpen:
            return "refused"
        return "answered"

    first = await asyncio.gather(*(call() for _ in range(20)))
    assert set(first) == {"failed"}
    assert rig.heard == [OPEN]
    assert set(await asyncio.gather(*(call() for _ in range(20)))) == {"refused"}
    assert entered == 20


def test_callers_who_know_livekit_unavailable_know_the_refusal() -> None:
    breaker = Breaker(
        "livekit", failures=1, open_s=1, failing=(LiveKitUnavailable,), refusal=LiveKitSpared
    )
    with pytest.raises(LiveKitUnavailable), breaker.guard():
        raise LiveKitUnavailable
    with pytest.raises(LiveKitUnavailable) as caught, breaker.guard():
        pytest.fail("entered")
    assert isinstance(caught.value, LiveKitSpared)
    assert 1 <= caught.value.retry_after_s <= 2


async def silent(never: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(0.05):
            await never.wait()
    except TimeoutError:
        raise SilenceError from None


def fail(guard: object) -> None:
    error = SilenceError()
    assert not guard.__exit__(SilenceError, error, None)  # type: ignore[attr-defined]
