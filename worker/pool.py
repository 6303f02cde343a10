"""The framework's process pool, as far as we look into it.

livekit-agents shows neither its pool nor whether it is connected, so this file and track.py use
private parts; nothing else may. tests/unit/worker/test_private_parts.py compares them with the
installed version, which is pinned.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import cast

from livekit.agents import AgentServer, JobContext
from livekit.agents.ipc.proc_pool import ProcPool

_NEVER_REGISTERED = "unregistered"


class Pool:
    """A view of one server's processes and connection; usable before it runs."""

    def __init__(self, server: AgentServer) -> None:
        self._server = server

    @property
    def idle(self) -> int:
        """Warm processes that wait for a job."""
        pool = self._pool
        return 0 if pool is None else pool._warmed_proc_queue.qsize()  # noqa: SLF001 - see above

    @property
    def active(self) -> int:
        """Processes that have a job."""
        pool = self._pool
        return 0 if pool is None else sum(1 for proc in pool.processes if proc.running_job)

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

    @property
    def _pool(self) -> ProcPool | None:
        return getattr(self._server, "_proc_pool", None)


def job_received_at(ctx: JobContext) -> float:
    """Return when the worker was asked to take a job, in seconds since 1970."""
    return ctx._info.received_at  # noqa: SLF001 - see above
