"""Which of the shared processes a call goes to, and how many there are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from tests.support.wait import eventually
from worker.host.shared.process import SharedProcess
from worker.host.shared.processes import Processes
from worker.host.shared.seat import Seat


class Stand:
    """A process without a process: warm when it is told so."""

    def __init__(self, *, is_warm: bool = True, fails: bool = False) -> None:
        self.seats: set[object] = set()
        self.seats_ever = 0
        self.on_leave: Callable[[], None] = lambda: None
        self._fails = fails
        self._is_warm, self._is_over = asyncio.Event(), asyncio.Event()
        if is_warm:
            self._is_warm.set()

    @property
    def is_gone(self) -> bool:
        return self._is_over.is_set()

    def become_warm(self) -> None:
        self._is_warm.set()

    def take(self, seat: object) -> None:
        self.seats.add(seat)
        self.seats_ever += 1

    def leave(self, seat: object) -> None:
        self.seats.discard(seat)
        self.on_leave()

    async def warm_up(self) -> None:
        await self._is_warm.wait()
        if self._fails:
            raise RuntimeError("it does not start")

    async def join(self) -> None:
        await self._is_over.wait()

    async def aclose(self) -> None:
        self._is_over.set()

    def close_door(self) -> None:
        pass


class House:
    """Three seats in each process."""

    def __init__(self, *, is_warm: bool = True, fails: bool = False) -> None:
        self.made: list[Stand] = []
        self.how = {"is_warm": is_warm, "fails": fails}
        self.processes = Processes(self._make, most=3)

    def _make(self) -> SharedProcess:
        self.made.append(Stand(**self.how))
        return cast("SharedProcess", self.made[-1])

    async def sit(self) -> tuple[Seat, Stand]:
        seat = cast("Seat", object())
        process = await self.processes.room_for(seat)
        return seat, cast("Stand", process)

    def loads(self) -> list[int]:
        return [len(process.seats) for process in self.made]


async def test_there_are_two_though_one_would_do() -> None:
    house = House()
    await house.sit()
    await house.sit()
    assert house.loads() == [1, 1]


async def test_the_one_with_the_fewest_calls_gets_the_next() -> None:
    house = House()
    for _ in range(4):
        await house.sit()
    assert house.loads() == [2, 2]
    seat, process = await house.sit()
    process.leave(seat)
    await house.sit()
    assert sum(house.loads()) == 5


async def test_another_one_is_started_when_all_are_full() -> None:
    house = House()
    for _ in range(8):
        await house.sit()
    assert sorted(house.loads()) == [2, 3, 3]


async def test_after_a_rush_the_youngest_get_no_calls_and_end() -> None:
    house = House()
    seats = [await house.sit() for _ in range(9)]
    assert house.loads() == [3, 3, 3]
    youngest = house.made[2]
    stays = next(seat for seat, process in seats if process is youngest)
    for seat, process in seats:
        if seat is not stays and (process is youngest or len(process.seats) > 1):
            process.leave(seat)
    await house.sit()
    assert house.loads() == [2, 1, 1] or house.loads() == [1, 2, 1]
    youngest.leave(stays)
    await eventually(lambda: _is(lambda: youngest.is_gone))
    assert not house.made[0].is_gone


async def test_one_that_is_warm_is_preferred_to_one_that_starts() -> None:
    """1. One of two processes is gone. 2. Two calls come while another one starts."""
    house = House()
    await house.sit()
    await house.sit()
    await house.made[0].aclose()
    await asyncio.sleep(0)
    house.how = {"is_warm": False}
    _, process = await house.sit()
    assert process is house.made[1]
    assert len(house.made) == 3
    house.made[2].become_warm()


async def test_what_does_not_start_is_told_to_all_who_wait_and_forgotten() -> None:
    house = House(is_warm=False, fails=True)
    waiting = [asyncio.create_task(house.sit()) for _ in range(2)]
    await eventually(lambda: _is(lambda: len(house.made) == 2))
    for process in house.made:
        process.become_warm()
    for error in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(error, RuntimeError)
    await eventually(lambda: _is(lambda: all(process.is_gone for process in house.made)))
    house.how = {}
    _, process = await house.sit()
    assert process not in house.made[:2]


async def test_one_that_has_held_very_many_gets_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.host.shared.processes._CALLS_PER_LIFE", 2)
    house = House()
    for _ in range(5):
        await house.sit()
    assert house.loads()[:2] == [2, 2]
    assert sum(house.loads()) == 5


async def test_when_the_worker_stops_all_are_closed_and_nobody_gets_a_seat() -> None:
    house = House()
    seat, process = await house.sit()
    process.leave(seat)
    await house.processes.aclose()
    assert all(one.is_gone for one in house.made)
    with pytest.raises(RuntimeError, match="the worker stops"):
        await house.sit()


async def _is(condition: Callable[[], bool]) -> bool:
    return condition()
