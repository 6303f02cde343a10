"""The framework's process pool, as far as we look into it.

livekit-agents shows neither its pool nor whether it is connected, so this file uses private parts,
as do host/{connection,forkserver,memory}.py, host/shared/, job/{info,preload,shared}.py and
call/track.py; nothing else may.
tests/unit/worker/test_private_parts.py compares them with the installed version, which is pinned.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from livekit.agents import AgentServer
from livekit.agents.ipc.job_executor import JobExecutor
from livekit.agents.ipc.proc_pool import ProcPool
from livekit.protocol.agent import Job

from worker.call.notice import HAND_OVER
from worker.host.refill import Refill, RefillTimes
from worker.host.shared.seat import Seat
from worker.job.words import HAND_OVER_ONE

logger = logging.getLogger(__name__)

_NEVER_REGISTERED = "unregistered"
#: The framework looks as often at how many processes it should have.
_TICK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """A job whose process did not end as it should."""

    job: Job
    #: Minus the number of the signal, where one ended it; None where nobody knows.
    exit_code: int | None


class Pool:
    """One server's processes and its connection; may be asked before the server runs."""

    def __init__(self, server: AgentServer) -> None:
        self._server = server
        self._refill = Refill()
        self._refill_times = RefillTimes()
        self._closing: set[asyncio.Task[None]] = set()
        self._spawned = 0
        self._watched: ProcPool | None = None
        #: Processes that were warm once, and those of them that were too many, by `id`.
        self._warmed: set[int] = set()
        self._surplus: set[int] = set()
        #: When those that are not warm yet were started, by `id`, in s of the monotonic clock.
        self._started: dict[int, float] = {}
        #: Are told of each crash of a process that has a job.
        self.on_crash: tuple[Callable[[Crash], None], ...] = ()
        #: Is told how long each process took until it was warm, in s.
        self.on_warm: Callable[[float], None] = lambda _: None

    @property
    def idle(self) -> int:
        """Warm processes that wait for a job."""
        pool = self._pool
        return 0 if pool is None else pool._warmed_proc_queue.qsize()  # noqa: SLF001 - see above

    @property
    def target(self) -> int:
        """How many of them there shall be."""
        return cast("int", self._server._num_idle_processes)  # noqa: SLF001

    @property
    def spawned(self) -> int:
        """Processes that were ever started, as far as is known since the server runs."""
        self._watch()
        return self._spawned

    @property
    def refill_ms(self) -> int | None:
        """How long it takes until one that was taken is replaced; None before the first time."""
        typical_s = self._refill_times.typical_s
        return None if typical_s is None else round(typical_s * 1000)

    @property
    def active(self) -> int:
        """Processes that have a job."""
        pool = self._pool
        return 0 if pool is None else sum(1 for proc in pool.processes if proc.running_job)

    @property
    def job_ids(self) -> list[str]:
        """The jobs that processes have."""
        pool = self._pool
        jobs = [] if pool is None else [proc.running_job for proc in pool.processes]
        return [info.job.id for info in jobs if info is not None]

    @property
    def pids(self) -> list[int]:
        """The processes that have a job or wait for one; one may be there several times."""
        pool = self._pool
        found = [] if pool is None else [getattr(proc, "pid", None) for proc in pool.processes]
        return [pid for pid in found if isinstance(pid, int)]

    @property
    def failures(self) -> int:
        """How many starts of a process failed since the last one that did not."""
        return self._refill.failures

    @property
    def is_registered(self) -> bool:
        """Whether LiveKit knows this worker right now."""
        server = self._server
        is_connected = not server._connecting and not server._connection_failed  # noqa: SLF001
        return is_connected and server.id != _NEVER_REGISTERED

    @property
    def livekit_worker_id(self) -> str | None:
        """The id LiveKit gave this worker; a new one after every reconnect."""
        return None if self._server.id == _NEVER_REGISTERED else self._server.id

    async def run(self) -> None:
        """Let the number of warm processes be the right one at each moment, until cancelled."""
        while True:
            self._watch()
            self._fill()
            if self.idle >= self.target:
                self._refill_times.all_there()
            await asyncio.sleep(_TICK_S)

    def call_starts(self) -> None:
        """Hear that a call is being started: it may need what a new process would cost."""
        self._refill.call_starts(is_full=self.idle >= self.target)
        self._fill()

    def resize(self, size: int) -> None:
        """Keep so many warm processes from now on; those that are too many are closed.

        The pool by itself only stops to refill. One that a call is waiting for is not too many; one
        that has got a call is not among the warm ones any more.
        """
        self._server._num_idle_processes = size  # noqa: SLF001
        self._fill()
        pool = self._pool
        if pool is None:
            return
        kept = max(size, pool._jobs_waiting_for_process)  # noqa: SLF001
        while pool._warmed_proc_queue.qsize() > kept:  # noqa: SLF001
            surplus = pool._warmed_proc_queue.get_nowait()  # noqa: SLF001
            self._surplus.add(id(surplus))
            closing = asyncio.create_task(surplus.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def hand_over(self, job_id: str) -> None:
        """Tell a job to hand over its call; one that is over hears nothing."""
        proc = None if self._pool is None else self._pool.get_by_job_id(job_id)
        # It may end in this moment.
        with suppress(OSError):
            if isinstance(proc, Seat):
                proc.say(HAND_OVER_ONE + job_id.encode())
            elif pid := cast("int | None", getattr(proc, "pid", None)):
                os.kill(pid, HAND_OVER)

    def kill(self) -> None:
        """Kill every process at once."""
        pool = self._pool
        for proc in [] if pool is None else pool.processes:
            if pid := cast("int | None", getattr(proc, "pid", None)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _fill(self) -> None:
        """Tell the pool how many to have now. Its default bounds what it is told as its target."""
        if (pool := self._pool) is not None:
            target = self._refill.target(self.target, self.idle)
            pool._default_num_idle_processes = max(self.target, target)  # noqa: SLF001
            pool.set_target_idle_processes(target)

    def _watch(self) -> None:
        """Listen to the pool, which is there once the server runs."""
        pool = self._pool
        if pool is None or pool is self._watched:
            return
        self._watched = pool
        self._spawned += len(pool.processes)
        self._warmed = {id(proc) for proc in pool._warmed_proc_queue._queue}  # type: ignore[attr-defined]  # noqa: SLF001
        pool.on("process_created", self._on_created)
        pool.on("process_ready", self._on_ready)
        pool.on("process_job_launched", self._on_launched)
        pool.on("process_closed", self._on_closed)

    def _on_created(self, proc: JobExecutor) -> None:
        self._spawned += 1
        self._started[id(proc)] = time.monotonic()

    def _on_ready(self, proc: JobExecutor) -> None:
        self._warmed.add(id(proc))
        if (started_at := self._started.pop(id(proc), None)) is not None:
            self.on_warm(time.monotonic() - started_at)
        if self._refill.failures:
            logger.info("processes start again", extra={"failures": self._refill.failures})
        self._refill.process_ready()
        self._refill_times.one_ready()
        self._fill()

    def _on_launched(self, _: object) -> None:
        self._refill_times.one_taken()
        self.call_starts()

    def _on_closed(self, proc: JobExecutor) -> None:
        job = proc.running_job
        exit_code = cast("int | None", getattr(proc, "exitcode", None))
        is_wanted = id(proc) not in self._surplus
        # One that was free when a neighbour's call took its process with it says nothing.
        is_bystander = isinstance(proc, Seat) and proc.has_company
        is_early = job is None and exit_code != 0 and is_wanted and not is_bystander
        if id(proc) not in self._warmed or is_early:
            self._on_failed()
        elif job is not None and exit_code != 0:
            for tell in self.on_crash:
                tell(Crash(job=job.job, exit_code=exit_code))
        self._warmed.discard(id(proc))
        self._started.pop(id(proc), None)
        self._surplus.discard(id(proc))

    def _on_failed(self) -> None:
        pool = self._pool
        if pool is None or pool._closed:  # noqa: SLF001 - stopping, it gives up what it began
            return
        delay_s = self._refill.process_failed()
        self._fill()
        logger.error(
            "a process did not start, or did not last until it had a call",
            extra={"failures": self._refill.failures, "retry_after_s": round(delay_s, 1)},
        )

    @property
    def _pool(self) -> ProcPool | None:
        return getattr(self._server, "_proc_pool", None)
