"""What runs in a process that several calls share.

The worker hands it seats: a seat is a socket on which the two speak as the framework does with a
process of one job, so that each call is run by the framework's own code, in one event loop with its
neighbours. Seats come through a door, a socket of ours that carries them; a few words come through
it, too. Private parts of livekit-agents: see host/pool.py.
"""

from __future__ import annotations

import asyncio
import contextvars
import faulthandler
import gc
import logging
import socket
from asyncio import base_events
from collections.abc import Mapping
from dataclasses import dataclass

from livekit.agents import JobExecutorType, JobProcess
from livekit.agents.ipc.channel import Message, send_message
from livekit.agents.ipc.job_proc_lazy_main import ProcStartArgs, _JobProc
from livekit.agents.ipc.log_queue import LogQueueHandler
from livekit.agents.ipc.proc_client import _ProcClient
from livekit.agents.ipc.proto import (
    InitializeRequest,
    InitializeResponse,
    ShutdownRequest,
    ShutdownRequestAck,
    ShuttingDown,
)
from livekit.agents.job import get_job_context
from livekit.agents.utils.aio import ChanReceiver
from livekit.agents.utils.aio.duplex_unix import _Duplex

from worker.background import Background
from worker.call.notice import Notice
from worker.job.warmth import warm_of
from worker.job.words import HAND_OVER_ONE, LONGEST_WORD_BYTES, SHOW_STACK

logger = logging.getLogger(__name__)

#: Of asyncio (private): how many timers there are before it lets go of cancelled ones, and which
#: share of them is cancelled by then.
TIMERS: Mapping[str, float] = {
    "_MIN_SCHEDULED_TIMER_HANDLES": 0,
    "_MIN_CANCELLED_TIMER_HANDLES_FRACTION": 0.1,
}
#: What a call was held by is let go of by then.
_TIDY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class SharedStart:
    """What such a process is started with: the framework's own arguments, and the door."""

    framework: ProcStartArgs
    door: socket.socket


def main(start: SharedStart) -> None:
    """Run until the worker says that it is enough, or is gone."""
    framework = start.framework
    for name, level in framework.logger_levels.items():
        logging.getLogger(name).setLevel(level)
    forwarding = LogQueueHandler(_Duplex.open(framework.log_cch))
    forwarding.addFilter(_add_job)
    logging.getLogger().addHandler(forwarding)
    # Written by C code: it works, too, while Python code is stuck.
    faulthandler.register(SHOW_STACK, file=start.door.fileno(), all_threads=False)
    house = _House(start)
    client = _ProcClient(framework.mp_cch, framework.log_cch, house.initialize, house.run)
    _forget_timers_early()
    try:
        client.initialize()
        client.run()
    finally:
        faulthandler.unregister(SHOW_STACK)
        forwarding.close()


def _forget_timers_early() -> None:
    """Have the event loop let go of cancelled timers, and of the calls that they belong to.

    CPython keeps them until they would have been due, or until there are a hundred, and each keeps
    the context that it was made in, and with it all of the call: seven of some sixteen that had
    ended were still there in one process, and three or four with this.
    """
    for name, value in TIMERS.items():
        setattr(base_events, name, value)


def _add_job(record: logging.LogRecord) -> bool:
    """Say of a record which job it is about; in a process of one job the worker knows."""
    try:
        job = get_job_context().job
    except RuntimeError:
        return True
    for name, value in (("job_id", job.id), ("room", job.room.name)):
        if not hasattr(record, name):
            setattr(record, name, value)
    return True


class _House:
    """The process: furnished once, then one call after the other, and beside the others."""

    def __init__(self, start: SharedStart) -> None:
        self._start = start.framework
        self._door = start.door
        self._process: JobProcess | None = None
        self._client: _ProcClient | None = None
        self._proxy = ""
        self._seats = Background(logger, "a seat broke")

    def initialize(self, request: InitializeRequest, client: _ProcClient) -> None:
        """Prepare what calls share. Raises whatever that raises."""
        self._client, self._proxy = client, request.http_proxy
        # What the framework calls a process whose jobs know each other apart by their context.
        self._process = JobProcess(
            executor_type=JobExecutorType.THREAD,
            user_arguments=self._start.user_arguments,
            http_proxy=request.http_proxy or None,
        )
        self._start.initialize_process_fnc(self._process)

    async def run(self, messages: ChanReceiver[Message]) -> None:
        """Take in calls until the worker wants no more; those that are there then are cut off."""
        if self._process is None or self._client is None:
            raise RuntimeError("not initialized")
        loop, warm = asyncio.get_running_loop(), warm_of(self._process)
        self._door.setblocking(False)
        loop.add_reader(self._door.fileno(), self._on_knock, warm.notice)
        try:
            async for message in messages:
                if isinstance(message, ShutdownRequest):
                    await self._client.send(ShutdownRequestAck())
                    break
        finally:
            loop.remove_reader(self._door.fileno())
            await self._seats.aclose()
            await warm.aclose()
        await self._client.send(ShuttingDown())

    def _on_knock(self, notice: Notice) -> None:
        try:
            word, sockets, _, _ = socket.recv_fds(self._door, LONGEST_WORD_BYTES, 1)
        except BlockingIOError:
            return
        if not word:
            # The worker is gone, or has closed the door; the other socket tells what to do.
            asyncio.get_running_loop().remove_reader(self._door.fileno())
            return
        for descriptor in sockets:
            self._seats.go(self._hold(socket.socket(fileno=descriptor)))
        if word.startswith(HAND_OVER_ONE):
            notice.give(word.removeprefix(HAND_OVER_ONE).decode())

    async def _hold(self, seat: socket.socket) -> None:
        """Hold the one call that comes to a seat, if one does."""
        job = _JobProc(
            self._furnish,
            self._start.job_entrypoint_fnc,
            self._start.session_end_fnc,
            session_end_timeout=self._start.session_end_timeout,
            executor_type=JobExecutorType.THREAD,
            user_arguments=self._start.user_arguments,
            simulation_end_fnc=self._start.simulation_end_fnc,
        )
        client = _ProcClient(seat, None, job.initialize, job.entrypoint)
        # No pings: whether the event loop turns is asked of the process, not of each seat.
        client._init_req = InitializeRequest(http_proxy=self._proxy)  # noqa: SLF001 - see above
        job.initialize(client._init_req, client)  # noqa: SLF001
        send_message(_Duplex.open(seat), InitializeResponse())
        try:
            await client._monitor_task()  # noqa: SLF001
        finally:
            # A call is a tangle of objects. What the process was forked with is frozen, so that
            # this takes 2 ms.
            loop = asyncio.get_running_loop()
            loop.call_later(_TIDY_AFTER_S, gc.collect, context=contextvars.Context())

    def _furnish(self, process: JobProcess) -> None:
        if self._process is not None:
            process.userdata.update(self._process.userdata)
