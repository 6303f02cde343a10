"""Processes of a stage, to which a story may do anything, and which can be started again."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil  # type: ignore[import-untyped]

from bench.workers import REGISTERED
from devstack.services.process import RunningProcess
from devstack.services.readiness import NotReady, until_ready
from devstack.services.service import Service
from devstack.services.stack import BIND_FAILED
from sessions.ids import WorkerId
from tests.support.loops import BackgroundLoop
from tests.support.plain import NO_TLS

GONE_WITHIN_S = 20.0


class PartDied(Exception):
    """Raised for a process that ended before it was ready; says what it wrote last."""

    def __init__(self, part: Part, status: int, said: str) -> None:
        super().__init__(f"{part.name} ended with status {status}:\n{said}")
        #: Whether somebody else was quicker to bind: a stage begins anew on other ports.
        self.is_for_its_port = BIND_FAILED.search(said) is not None


class Part:
    """One process. What ends it ends its descendants, a second later at most: see leash.py.

    It runs on the loop of its stage, and outlives those of the tests.
    """

    def __init__(self, service: Service, loop: BackgroundLoop) -> None:
        self.service = service
        self._loop = loop
        self._running: RunningProcess | None = None
        self._is_stopped = self._is_ending = False

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def url(self) -> str:
        return self.service.url

    @property
    def log(self) -> Path:
        return self.service.command.log

    @property
    def pid(self) -> int:
        assert self._running is not None, f"{self.name} was never started"
        return self._running.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs; one that is stopped does."""
        return self._running is not None and not self._running.exited.done()

    @property
    def is_up(self) -> bool:
        """Whether it runs and is not stopped."""
        return self.is_alive and not self._is_stopped

    async def start(self) -> None:
        """Start it, or start it again; return once it is ready. Raises PartDied, NotReady."""
        await self._loop.apart(self.start_here())

    async def launch(self) -> None:
        """Start it, and do not wait for it."""
        await self._loop.apart(self.launch_here())

    async def ready(self) -> None:
        """Wait until one that was launched is ready. Raises PartDied, NotReady."""
        await self._loop.apart(self.ready_here())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone. One that is gone needs none."""
        self._is_ending |= number is signal.SIGTERM
        if self.is_alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def kill(self) -> None:
        """Kill -9; return once it is gone, and its descendants with it."""
        self.signal(signal.SIGKILL)
        await self.gone()

    def stop(self) -> None:
        """Let it stand still until `cont`: its descendants go on."""
        self._is_stopped = True
        self.signal(signal.SIGSTOP)

    def cont(self) -> None:
        """Let it go on."""
        self.signal(signal.SIGCONT)
        self._is_stopped = False

    async def terminate(self, deadline_s: float = GONE_WITHIN_S) -> None:
        """Ask it to stop, as an operator would; return once it is gone."""
        self.signal(signal.SIGTERM)
        await self.gone(deadline_s)

    async def gone(self, deadline_s: float = GONE_WITHIN_S) -> None:
        """Wait until it and all its descendants are gone."""
        await self._loop.apart(self._gone(deadline_s))

    async def restore(self) -> None:
        """Have it run, whatever was done to it; anew, if it was asked to end and has not yet."""
        if self.is_alive and self._is_ending:
            await self.kill()
        if self.is_alive:
            self.cont()
            await self.ready()
        else:
            await self.start()

    async def end(self) -> None:
        """Leave nothing behind."""
        await self._loop.apart(self.end_here())

    async def end_here(self) -> None:
        """Leave nothing behind. On the stage's loop, as all that ends in `_here`."""
        if self._running is not None and self.is_alive:
            self._running.kill()
            await self._running.exited

    def descendants(self) -> list[int]:
        """Return the pids of its children, and of theirs; none when it is gone."""
        try:
            found = psutil.Process(self.pid).children(recursive=True) if self.is_alive else []
        except psutil.NoSuchProcess:
            return []
        return [int(one.pid) for one in found]

    async def start_here(self) -> None:
        """Start it, and wait until it is ready."""
        await self.launch_here()
        await self.ready_here()

    async def launch_here(self) -> None:
        """Start it."""
        assert not self.is_alive, f"{self.name} runs already"
        self._is_stopped = self._is_ending = False
        self._running = await RunningProcess.start(self.service.command)

    async def ready_here(self) -> None:
        """Wait until it is ready. Raises PartDied, NotReady."""
        assert self._running is not None
        exited = self._running.exited
        readiness = asyncio.create_task(
            until_ready(self.service.ready, self.service.ready_within_s)
        )
        try:
            await asyncio.wait({readiness, exited}, return_when=asyncio.FIRST_COMPLETED)
            if exited.done():
                raise PartDied(self, exited.result(), self._running.log_tail())
            await readiness
        except NotReady as error:
            raise NotReady(f"{self.name}: {error}\n{self._running.log_tail()}") from error
        finally:
            readiness.cancel()

    async def _gone(self, deadline_s: float) -> None:
        assert self._running is not None
        async with asyncio.timeout(deadline_s):
            await asyncio.shield(self._running.exited)


class AnyWorker(Part):
    """A worker of whatever kind."""

    async def until_registered(self, deadline_s: float) -> float:
        """Wait until LiveKit knows it, warm or not; return when that was seen."""
        ends_at = time.monotonic() + deadline_s
        while REGISTERED not in await asyncio.to_thread(self._said):
            assert self.is_alive, f"{self.name} ended"
            assert time.monotonic() < ends_at, f"{self.name} did not register"
            await asyncio.sleep(0.02)
        return time.monotonic()

    def _said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


class WorkerPart(AnyWorker):
    """A worker of ours, which is known by the name it gave itself when it started."""

    _id: WorkerId | None = None

    @property
    def id(self) -> WorkerId:
        """What the store calls it; that of its last start."""
        assert self._id is not None, f"{self.name} was never ready"
        return self._id

    async def ready_here(self) -> None:
        """Wait until it is ready, and has told its name."""
        await super().ready_here()
        async with httpx2.AsyncClient(timeout=5, verify=NO_TLS) as http:
            answer = await http.get(f"{self.url}/worker")
        self._id = WorkerId(answer.raise_for_status().json()["id"])
