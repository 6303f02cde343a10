"""A seat: a place for one call in a process that others share.

To the framework's pool it is what a process of one job is: it is made warm, gets a job, and is over
with it. It costs a pair of sockets. Private parts of livekit-agents: see host/pool.py.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from typing import Any, Protocol

from livekit.agents.ipc import channel, proto
from livekit.agents.ipc.job_executor import JobStatus
from livekit.agents.job import RunningJobInfo
from livekit.agents.utils import shortuuid
from livekit.agents.utils.aio.duplex_unix import DuplexClosed, _AsyncDuplex

logger = logging.getLogger(__name__)

#: After its process has closed the seat: how long until it is known how the process ended.
_EXIT_KNOWN_WITHIN_S = 1.0


class Landlord(Protocol):
    """The process that a seat is in, as far as the seat knows it."""

    @property
    def pid(self) -> int | None: ...
    @property
    def exitcode(self) -> int | None: ...

    has_served: bool

    async def join(self) -> None: ...
    def admit(self, seat: socket.socket) -> None: ...
    def say(self, word: bytes) -> None: ...
    def leave(self, seat: Seat) -> None: ...


class Landlords(Protocol):
    """All such processes of a worker."""

    async def room_for(self, seat: Seat) -> Landlord: ...


class Seat:
    """One place. `end_timeout_s` bounds the end of its call, `close_timeout_s` each step around."""

    def __init__(
        self, landlords: Landlords, *, close_timeout_s: float, end_timeout_s: float
    ) -> None:
        self.id = shortuuid("SEAT_")
        self.user_arguments: Any | None = None
        self._landlords = landlords
        self._close_timeout_s, self._end_timeout_s = close_timeout_s, end_timeout_s
        self._landlord: Landlord | None = None
        self._channel: _AsyncDuplex | None = None
        self._reading: asyncio.Task[None] | None = None
        self._running_job: RunningJobInfo | None = None
        self._is_acknowledged, self._is_ending = asyncio.Event(), asyncio.Event()
        self._is_orderly = False
        self._exit_code: int | None = None

    @property
    def started(self) -> bool:
        """Whether it is in a process."""
        return self._channel is not None

    @property
    def pid(self) -> int | None:
        """The process that it is in."""
        return None if self._landlord is None else self._landlord.pid

    @property
    def has_company(self) -> bool:
        """Whether its process has held calls: then it did start well, whatever became of it."""
        return self._landlord is not None and self._landlord.has_served

    @property
    def running_job(self) -> RunningJobInfo | None:
        """Its call, also when that is over."""
        return self._running_job

    @property
    def exitcode(self) -> int | None:
        """0 after a call that came to its end, else how its process ended; None before."""
        return self._exit_code

    @property
    def status(self) -> JobStatus:
        """How its job is. Raises RuntimeError without one."""
        if self._running_job is None:
            raise RuntimeError("no job")
        if self._exit_code is None:
            return JobStatus.RUNNING
        return JobStatus.SUCCESS if self._exit_code == 0 else JobStatus.FAILED

    async def start(self) -> None:
        """Find a process for it; one is started where all are full. Raises what that raises."""
        self._landlord = landlord = await self._landlords.room_for(self)
        ours, theirs = socket.socketpair()
        try:
            landlord.admit(theirs)
            self._channel = await _AsyncDuplex.open(ours)
        except BaseException:
            ours.close()
            landlord.leave(self)
            raise
        finally:
            theirs.close()

    async def initialize(self) -> None:
        """Wait until its process has taken it in. Raises TimeoutError, DuplexClosed."""
        async with asyncio.timeout(self._close_timeout_s):
            await channel.arecv_message(self._open_channel(), proto.IPC_MESSAGES)
        self._reading = asyncio.create_task(self._read())

    async def launch_job(self, info: RunningJobInfo) -> None:
        """Start its call. Raises RuntimeError, DuplexClosed."""
        if self._running_job is not None or self._reading is None or self._reading.done():
            raise RuntimeError("no free seat")
        request = proto.StartJobRequest()
        request.running_job = info
        self._running_job = info
        try:
            await channel.asend_message(self._open_channel(), request)
        except DuplexClosed:
            self._running_job = None
            raise
        if self._landlord is not None:
            self._landlord.has_served = True

    async def join(self) -> None:
        """Wait until it is over."""
        if self._reading is not None:
            await asyncio.shield(self._reading)

    async def aclose(self) -> None:
        """End its call in good order; where that takes too long, cut it off."""
        if self._channel is None:
            return
        if self._reading is None or self._reading.done():
            await self._close()
            return
        with suppress(DuplexClosed):
            await channel.asend_message(self._channel, proto.ShutdownRequest())
        try:
            async with asyncio.timeout(self._close_timeout_s):
                await self._is_acknowledged.wait()
            async with asyncio.timeout(self._end_timeout_s):
                await self._is_ending.wait()
            async with asyncio.timeout(self._close_timeout_s):
                await self.join()
        except TimeoutError:
            logger.error("a call does not end, and is cut off", extra=self.logging_extra())  # noqa: TRY400 - nothing to trace
            await self._close()
            await self.join()

    def say(self, word: bytes) -> None:
        """Tell its process something. Raises OSError when its process is gone."""
        if self._landlord is not None:
            self._landlord.say(word)

    def logging_extra(self) -> dict[str, Any]:
        """Return what the log says of it."""
        extra: dict[str, Any] = {"pid": self.pid}
        if self._running_job is not None:
            job = self._running_job.job
            extra |= {"job_id": job.id, "room": job.room.name}
        return extra

    async def _read(self) -> None:
        """Hear what its process says, until that closes the seat."""
        try:
            while True:
                message = await channel.arecv_message(self._open_channel(), proto.IPC_MESSAGES)
                if isinstance(message, proto.ShutdownRequestAck):
                    self._is_acknowledged.set()
                elif isinstance(message, proto.ShuttingDown):
                    self._is_orderly = True
                    self._is_ending.set()
                elif isinstance(message, proto.Exiting):
                    extra = {"reason": message.reason, **self.logging_extra()}
                    logger.info("job exiting", extra=extra)
        except DuplexClosed:
            pass
        finally:
            self._exit_code = 0 if self._is_orderly else await self._exit_code_of_process()
            self._is_acknowledged.set()
            self._is_ending.set()
            await self._close()

    async def _exit_code_of_process(self) -> int:
        """Return how the process ended, or 1: it lives, but its call broke down."""
        landlord = self._landlord
        if landlord is None:
            return 1
        with suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_KNOWN_WITHIN_S):
                await landlord.join()
        return landlord.exitcode or 1

    async def _close(self) -> None:
        if self._landlord is not None:
            self._landlord.leave(self)
        with suppress(DuplexClosed):
            await self._open_channel().aclose()

    def _open_channel(self) -> _AsyncDuplex:
        if self._channel is None:
            raise RuntimeError("not started")
        return self._channel
