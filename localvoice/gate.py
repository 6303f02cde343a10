"""Bounds how much of one kind of work runs, and how much may wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from localvoice.errors import Busy, TimedOut

T = TypeVar("T")

#: What a refused client is told to wait: about one utterance's work. Seconds.
RETRY_AFTER_S = 1


class Gate:
    """Runs blocking work on its own threads, first come first served.

    A slot is given back when the *thread* is done, not when its caller stops waiting: a
    cancelled request cannot make more work run than the machine was promised.
    """

    def __init__(self, name: str, *, slots: int, queue_limit: int, queue_timeout_s: float) -> None:
        self.name = name
        self.slots = slots
        self.queue_limit = queue_limit
        self._queue_timeout_s = queue_timeout_s
        self._free = asyncio.Semaphore(slots)
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix=f"localvoice-{name}")
        self._running = 0
        self._waiting = 0
        self._places = 0

    @property
    def running(self) -> int:
        """How many slots are taken."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many requests wait for a slot."""
        return self._waiting

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places that running and waiting work share; ``run`` as admitted.

        For work that costs memory before it can wait for a slot. Raises Busy when none is left.
        """
        if self._places >= self.slots + self.queue_limit:
            raise self._full()
        self._places += 1
        try:
            yield
        finally:
            self._places -= 1

    async def run(self, work: Callable[[], T], *, timeout_s: float, admitted: bool = False) -> T:
        """Run ``work`` on a thread and return its result.

        ``admitted`` work belongs to a request that already got through and may not be refused
        for a full queue. Raises Busy when the queue is full or the wait too long, TimedOut
        when the work itself takes longer than ``timeout_s``; its thread then still runs on,
        with its slot, until it notices.
        """
        await self._take_slot(admitted=admitted)
        loop = asyncio.get_running_loop()
        try:
            future = self._threads.submit(work)
        except RuntimeError as error:  # shut down meanwhile
            self._give_back()
            raise Busy(
                f"the {self.name} engine is stopping", retry_after_s=RETRY_AFTER_S
            ) from error
        future.add_done_callback(lambda done: self._give_back_from_thread(loop, done))
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise TimedOut(f"the {self.name} engine took longer than {timeout_s:g} s") from error

    async def _take_slot(self, *, admitted: bool) -> None:
        full = self._free.locked() and self._waiting >= self.queue_limit
        if full and not admitted:
            raise self._full()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._queue_timeout_s):
                await self._free.acquire()
        except TimeoutError as error:
            raise Busy(
                f"the {self.name} engine was busy for {self._queue_timeout_s:g} s",
                retry_after_s=RETRY_AFTER_S,
            ) from error
        finally:
            self._waiting -= 1
        self._running += 1

    def _full(self) -> Busy:
        return Busy(
            f"the {self.name} engine is busy and its queue is full", retry_after_s=RETRY_AFTER_S
        )

    def _give_back_from_thread(self, loop: asyncio.AbstractEventLoop, _: Future[T]) -> None:
        try:
            loop.call_soon_threadsafe(self._give_back)
        except RuntimeError:
            # The loop closed while the thread finished: nobody is left to take the slot.
            return

    def _give_back(self) -> None:
        self._running -= 1
        self._free.release()

    def close(self) -> None:
        """Take no new work; what runs is expected to stop by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
