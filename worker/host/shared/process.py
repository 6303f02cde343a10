"""A process that holds several calls, as the worker sees it.

Scenario: a tool blocks the event loop, and with it all calls of the process. Pings are not answered
any more. The process is killed, as nothing else would help its calls: each of them goes on with
another agent, elsewhere. The log says where the loop stood still.

Counter-scenario: the machine is busy, and the process gets no time. Then it is waited for.

Private parts of livekit-agents: see host/pool.py.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from livekit.agents.ipc.channel import Message
from livekit.agents.ipc.job_proc_lazy_main import ProcStartArgs
from livekit.agents.ipc.proto import PongResponse
from livekit.agents.ipc.supervised_proc import SupervisedProc, SupervisedProcKind
from livekit.agents.utils.aio import ChanReceiver

from worker.host.shared.seat import Seat
from worker.host.shared.standstill import Standstill
from worker.job.shared import SharedStart, main
from worker.job.words import SEAT, SHOW_STACK

logger = logging.getLogger(__name__)

_PING_EVERY_S = 0.5
_LOOK_EVERY_S = 0.25
#: The framework kills after so long, whatever the reason, if we have not.
_LAST_RESORT_S = 60.0
_SLOW_S = 0.5
#: What writes a stack is C code: it is there at once, unless the process has no time at all.
_STACK_WITHIN_S = 0.1
_LONGEST_STACK_BYTES = 8_192


def _make_door() -> tuple[socket.socket, socket.socket]:
    """Make a pair of sockets that keep messages apart, and hold as many as a rush brings."""
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError:
        # macOS has none for this; of these, Linux would hold ten messages.
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    return ours, theirs


class SharedProcess(SupervisedProc):
    """One such process. `start` is what the framework starts a process of one job with."""

    def __init__(self, start: ProcStartArgs, **options: Any) -> None:  # noqa: ANN401 - the framework's
        super().__init__(
            ping_interval=_PING_EVERY_S,
            ping_timeout=_LAST_RESORT_S,
            high_ping_threshold=_SLOW_S,
            **options,
        )
        self._start_arguments = start
        self._door, self._their_door = _make_door()
        #: The seats in it that are not over.
        self.seats: set[Seat] = set()
        #: How many there ever were.
        self.seats_ever = 0
        #: Whether it ever held a call.
        self.has_served = False
        #: Is called whenever one of them is over.
        self.on_leave: Callable[[], None] = lambda: None

    @property
    def process_kind(self) -> SupervisedProcKind:
        """What it is to the framework's log."""
        return SupervisedProcKind.JOB

    @property
    def is_gone(self) -> bool:
        """Whether it takes no seats any more."""
        return self._closing or self._exitcode is not None

    def take(self, seat: Seat) -> None:
        """Count a seat, before it is admitted."""
        self.seats.add(seat)
        self.seats_ever += 1

    def admit(self, seat: socket.socket) -> None:
        """Pass one end of a seat in. Raises OSError when it is gone."""
        socket.send_fds(self._door, [SEAT], [seat.fileno()])

    def say(self, word: bytes) -> None:
        """Tell it something. Raises OSError when it is gone."""
        self._door.send(word)

    def leave(self, seat: Seat) -> None:
        """Take note that a seat is over."""
        if seat in self.seats:
            self.seats.discard(seat)
            self.on_leave()

    async def warm_up(self) -> None:
        """Start it, and wait until it can take calls. Raises what the framework raises."""
        await self.start()
        self._their_door.close()
        await self.initialize()

    def close_door(self) -> None:
        """Let go of the sockets, when it is over."""
        self._their_door.close()
        self._door.close()

    def _create_process(
        self, cch: socket.socket, log_cch: socket.socket
    ) -> multiprocessing.Process:
        start = self._start_arguments
        start.mp_cch, start.log_cch = cch, log_cch
        shared = SharedStart(framework=start, door=self._their_door)
        # By this name the framework's code knows that signals are the worker's business.
        process: multiprocessing.Process = self._mp_ctx.Process(  # type: ignore[attr-defined]
            target=main, args=(shared,), name="job_proc"
        )
        return process

    async def _main_task(self, ipc_ch: ChanReceiver[Message]) -> None:
        """Watch over its event loop, by its answers to the framework's pings."""
        pid = self.pid
        if pid is None:
            raise RuntimeError("not started")
        standstill = Standstill(pid)
        watching = asyncio.create_task(self._watch(pid, standstill))
        try:
            async for message in ipc_ch:
                if isinstance(message, PongResponse):
                    standstill.turned()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self, pid: int, standstill: Standstill) -> None:
        # What another process does not do is no event.
        while not standstill.look():  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_EVERY_S)
        stack = await self._stack(pid)
        extra = {**self.logging_extra(), **standstill.figures(), "calls": len(self.seats)}
        logger.error("an event loop stands still: its process is killed", extra=extra | stack)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    async def _stack(self, pid: int) -> dict[str, str]:
        """Return where its main thread is, if it can be made to tell."""
        with suppress(ProcessLookupError):
            os.kill(pid, SHOW_STACK)
        await asyncio.sleep(_STACK_WITHIN_S)
        told = bytearray()
        with suppress(BlockingIOError):
            while len(told) < _LONGEST_STACK_BYTES:
                told += self._door.recv(_LONGEST_STACK_BYTES)
        lines = told.decode(errors="replace").splitlines()
        return {"stack": "\n".join(line.strip() for line in lines)} if lines else {}
