"""The framework's pool of warm processes, but that what it keeps warm are seats.

Everything else about it stays as it is: how many are warm, who gets which job, what is told when
one is over. So the worker does the same in both kinds of isolation. Private parts of
livekit-agents: see host/pool.py.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

from livekit.agents.ipc.job_proc_lazy_main import ProcStartArgs
from livekit.agents.ipc.proc_pool import ProcPool

from worker.host.connection import PatientServer
from worker.host.shared.process import SharedProcess
from worker.host.shared.processes import Processes
from worker.host.shared.seat import Seat

logger = logging.getLogger(__name__)


class SharedServer(PatientServer):
    """The framework's server with such a pool. Each process has `sessions_per_process` seats."""

    def __init__(self, *, sessions_per_process: int, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self._sessions_per_process = sessions_per_process
        self._seat_pool: ProcPool | None = None

    @property
    def _proc_pool(self) -> ProcPool:
        """The pool. Raises AttributeError until the server runs, which makes it."""
        if self._seat_pool is None:
            raise AttributeError("_proc_pool")
        return self._seat_pool

    @_proc_pool.setter
    def _proc_pool(self, pool: ProcPool) -> None:
        self._seat_pool = SeatPool.of(pool, self._sessions_per_process)


class SeatPool(ProcPool):
    """A pool whose warm processes are seats."""

    _shared: Processes

    @classmethod
    def of(cls, pool: ProcPool, sessions_per_process: int) -> SeatPool:
        """Make one of a pool that has not been started; it keeps all its options."""
        pool.__class__ = cls
        if not isinstance(pool, SeatPool):
            raise TypeError("not the framework's pool")
        pool._shared = Processes(pool._make_process, most=sessions_per_process)  # noqa: SLF001 - itself
        return pool

    async def aclose(self) -> None:
        """End all calls, then the processes."""
        await super().aclose()
        await self._shared.aclose()

    async def _proc_spawn_task(self) -> None:
        """Make one more seat warm; tell of it as the framework tells of a process."""
        seat = Seat(
            self._shared,
            close_timeout_s=self._close_timeout,
            end_timeout_s=self._session_end_timeout + _END_OF_CONVERSATION_S,
        )
        self._executors.append(seat)
        self.emit("process_created", seat)
        try:
            await seat.start()
            self.emit("process_started", seat)
            await seat.initialize()
        except Exception:
            logger.exception("a seat was not made warm", extra=seat.logging_extra())
            await self._give_up(seat)
        except asyncio.CancelledError:
            await self._give_up(seat)
            raise
        else:
            self._offer(seat)

    def _offer(self, seat: Seat) -> None:
        self.emit("process_ready", seat)
        self._warmed_proc_queue.put_nowait(seat)
        if self._warmed_proc_queue.qsize() >= self._default_num_idle_processes:
            self._idle_ready.set()
        monitoring = asyncio.create_task(self._monitor_process_task(seat))
        self._monitor_tasks.add(monitoring)
        monitoring.add_done_callback(self._monitor_tasks.discard)

    async def _give_up(self, seat: Seat) -> None:
        self._executors.remove(seat)
        await seat.aclose()
        self.emit("process_closed", seat)

    def _make_process(self) -> SharedProcess:
        levels = {
            name: one.level
            for name, one in logging.Logger.manager.loggerDict.items()
            if isinstance(one, logging.Logger)
        }
        nothing_yet = socket.socket()
        nothing_yet.close()
        start = ProcStartArgs(
            initialize_process_fnc=self._initialize_process_fnc,
            job_entrypoint_fnc=self._job_entrypoint_fnc,
            session_end_fnc=self._session_end_fnc,
            session_end_timeout=self._session_end_timeout,
            simulation_end_fnc=self._simulation_end_fnc,
            user_arguments=None,
            mp_cch=nothing_yet,
            log_cch=nothing_yet,
            logger_levels=levels | {"root": logging.getLogger().level},
        )
        return SharedProcess(
            start,
            initialize_timeout=self._initialize_timeout,
            close_timeout=self._close_timeout,
            memory_warn_mb=self._memory_warn_mb,
            memory_limit_mb=self._memory_limit_mb,
            http_proxy=self._http_proxy,
            mp_ctx=self._mp_ctx,
            loop=self._loop,
        )


#: The framework's own bounds for what comes before `on_session_end`: 15 s for the entrypoint, 60 s
#: for the conversation to close (ipc/job_proc_lazy_main.py, 1.8.9).
_END_OF_CONVERSATION_S = 75.0
