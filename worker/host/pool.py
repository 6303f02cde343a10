"""The framework's process pool, as far as we look into it.

livekit-agents shows neither its pool nor whether it is connected, so this file uses private parts,
as do host/connection.py, job/info.py and call/track.py; nothing else may.
tests/unit/worker/test_private_parts.py compares them with the installed version, which is pinned.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import cast

from livekit.agents import AgentServer
from livekit.agents.ipc.proc_pool import ProcPool

_NEVER_REGISTERED = "unregistered"


class Pool:
    """A view of one server's processes and connection; usable before it runs."""

    def __init__(self, server: AgentServer) -> None:
        self._server = server
        self._closing: set[asyncio.Task[None]] = set()
        self._spawned = 0
        self._watched: ProcPool | None = None

    @property
    def idle(self) -> int:
        """Warm processes that wait for a job."""
        pool = self._pool
        return 0 if pool is None else pool._warmed_proc_queue.qsize()  # noqa: SLF001 - see above

    @property
    def spawned(self) -> int:
        """Processes that were ever started, as far as anybody asked since the server runs."""
        pool = self._pool
        if pool is not None and pool is not self._watched:
            self._watched = pool
            self._spawned += len(pool.processes)
            pool.on("process_created", self._count)
        return self._spawned

    def resize(self, size: int) -> None:
        """Keep so many warm processes from now on; those that are too many are closed.

        The pool by itself only stops to refill. It never has more than it began with, unless that
        is raised, too.
        """
        self._server._num_idle_processes = size  # noqa: SLF001 - see above
        pool = self._pool
        if pool is None:
            return
        pool._default_num_idle_processes = size  # noqa: SLF001
        pool.set_target_idle_processes(size)
        while pool._warmed_proc_queue.qsize() > size:  # noqa: SLF001
            closing = asyncio.create_task(pool._warmed_proc_queue.get_nowait().aclose())  # noqa: SLF001
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    @property
    def active(self) -> int:
        """Processes that have a job."""
        pool = self._pool
        return 0 if pool is None else sum(1 for proc in pool.processes if proc.running_job)

    @property
    def job_pids(self) -> list[int]:
        """Processes that have a job, by their ids."""
        pool = self._pool
        busy = [] if pool is None else [proc for proc in pool.processes if proc.running_job]
        pids = (cast("int | None", getattr(proc, "pid", None)) for proc in busy)
        return [pid for pid in pids if pid]

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

    def kill(self) -> None:
        """Kill every process at once."""
        pool = self._pool
        for proc in [] if pool is None else pool.processes:
            if pid := cast("int | None", getattr(proc, "pid", None)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _count(self, _: object) -> None:
        self._spawned += 1

    @property
    def _pool(self) -> ProcPool | None:
        return getattr(self._server, "_proc_pool", None)
