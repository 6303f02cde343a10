"""All shared processes of a worker, and which of them a new call goes to.

The one with the fewest calls. There are as many as are needed for all calls, and two where one
would do: a crash takes all calls of a process, and should not take all warm seats, too. When there
are more than needed, after a rush, the youngest get no new calls, and end with those they have.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from contextlib import suppress

from worker.background import Background
from worker.host.shared.process import SharedProcess
from worker.host.shared.seat import Seat

logger = logging.getLogger(__name__)

_AT_LEAST = 2
#: A process that has held so many calls gets no more: what they left behind goes with it. That is
#: 1.3 thousandths of a core and 1.4 MB for each, of the thread that gave out its sound.
_CALLS_PER_LIFE = 40


class Processes:
    """`make` makes one that is not started; `most` is how many seats each may have."""

    def __init__(self, make: Callable[[], SharedProcess], *, most: int) -> None:
        self._make, self._most = make, most
        #: The oldest first, with what makes it warm.
        self._all: dict[SharedProcess, asyncio.Task[None]] = {}
        self._background = Background(logger, "a shared process broke")
        self._is_closing = False

    async def room_for(self, seat: Seat) -> SharedProcess:
        """Return a warm process with a place, taken. Raises what starting one raises."""
        if self._is_closing:
            raise RuntimeError("the worker stops")
        process = self._choose()
        process.take(seat)
        try:
            await asyncio.shield(self._all[process])
        except BaseException:
            process.leave(seat)
            raise
        return process

    async def aclose(self) -> None:
        """Close all of them, when all seats are over."""
        self._is_closing = True
        await asyncio.gather(*(self._close(process) for process in list(self._all)))
        await self._background.aclose()

    def _choose(self) -> SharedProcess:
        needed = self._needed(1)
        chosen = self._open()[:needed]
        chosen += [self._add() for _ in range(needed - len(chosen))]
        with_room = [one for one in chosen if len(one.seats) < self._most] or [self._add()]
        return min(with_room, key=lambda one: (not self._is_warm(one), len(one.seats)))

    def _needed(self, more: int) -> int:
        seats = sum(len(process.seats) for process in self._all) + more
        return max(_AT_LEAST, math.ceil(seats / self._most))

    def _open(self) -> list[SharedProcess]:
        return [one for one in self._all if not one.is_gone and one.seats_ever < _CALLS_PER_LIFE]

    def _is_warm(self, process: SharedProcess) -> bool:
        return self._all[process].done()

    def _add(self) -> SharedProcess:
        process = self._make()
        process.on_leave = self._tidy
        self._all[process] = asyncio.create_task(process.warm_up())
        self._background.go(self._outlive(process))
        return process

    async def _outlive(self, process: SharedProcess) -> None:
        """Forget a process once it is over, however it ended."""
        warming = self._all[process]
        await asyncio.wait({warming})
        try:
            if warming.cancelled() or warming.exception() is not None:
                await process.aclose()
            else:
                await process.join()
        finally:
            self._all.pop(process, None)
            process.close_door()

    def _tidy(self) -> None:
        """Close what is empty and not needed, nor would be soon."""
        wanted = self._open()[: self._needed(self._most // 2)]
        for process in self._all:
            is_idle = not process.seats and self._is_warm(process)
            if is_idle and process not in wanted and not process.is_gone:
                self._background.go(self._close(process))

    async def _close(self, process: SharedProcess) -> None:
        warming = self._all.get(process)
        if warming is not None:
            with suppress(Exception):  # told by those who have waited for it
                await asyncio.shield(warming)
        await process.aclose()
