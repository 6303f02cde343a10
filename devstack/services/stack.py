"""Start services in order, watch them, stop them in the opposite order."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from devstack.errors import DevstackError, PortTaken, ServiceDied, ServiceNotReady
from devstack.services.process import RunningProcess
from devstack.services.readiness import NotReady, until_ready
from devstack.services.service import Service

BIND_FAILED = re.compile(
    r"address already in use|could not create server tcp listening|errno 98\b", re.IGNORECASE
)


class Observer(Protocol):
    """Is told what happens, to show it. Each method is called from the event loop."""

    def starting(self, service: Service) -> None:
        """A process was started; it is not ready yet."""

    def ready(self, service: Service, seconds: float) -> None:
        """A service passed its readiness check."""

    def stopping(self, service: Service) -> None:
        """A service was asked to stop."""

    def stopped(self, service: Service, seconds: float, *, by_itself: bool) -> None:
        """A service is gone; `by_itself` is false when it had to be killed."""


class Silence:
    """An observer that shows nothing."""

    def starting(self, service: Service) -> None: ...
    def ready(self, service: Service, seconds: float) -> None: ...
    def stopping(self, service: Service) -> None: ...
    def stopped(self, service: Service, seconds: float, *, by_itself: bool) -> None: ...


class Stack:
    """Services that depend on the ones before them.

    `start` either ends with all of them ready or raises and leaves the ones that run to `stop`,
    which callers owe in every case. `stop` can be called again and from a `finally`.
    """

    def __init__(self, services: Sequence[Service], observer: Observer | None = None) -> None:
        self.services = tuple(services)
        self._observer = observer or Silence()
        self._running: dict[str, tuple[Service, RunningProcess]] = {}
        self._is_forced = False

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the services that were started, by name."""
        return {name: process.pid for name, (_, process) in self._running.items()}

    async def start(self) -> None:
        """Start each service when the one before it is ready.

        Raises `ServiceNotReady`, `ServiceDied` (for any service, not only the one that starts) or
        `PortTaken` when a service died because somebody else listens on its port.
        """
        for service in self.services:
            began = time.monotonic()
            process = await RunningProcess.start(service.command)
            self._running[service.name] = service, process
            self._observer.starting(service)
            await self._until_ready(service, process)
            self._observer.ready(service, time.monotonic() - began)

    async def _until_ready(self, service: Service, process: RunningProcess) -> None:
        async def wait() -> None:
            try:
                await until_ready(service.ready, service.ready_within_s)
            except NotReady as reason:
                raise ServiceNotReady(
                    f"{service.name} was not ready within {service.ready_within_s:.0f} s: {reason}",
                    log_tail=process.log_tail(),
                ) from None

        await self._unless_one_dies(wait)

    async def until_one_dies(self) -> None:
        """Wait as long as all services live, then raise `ServiceDied`."""
        await self._unless_one_dies(asyncio.Event().wait)

    async def _unless_one_dies(self, work: Callable[[], Awaitable[object]]) -> None:
        task = asyncio.ensure_future(work())
        deaths = {process.exited for _, process in self._running.values()}
        try:
            await asyncio.wait({task, *deaths}, return_when=asyncio.FIRST_COMPLETED)
            self._raise_for_death()
            await task
        finally:
            task.cancel()

    def _raise_for_death(self) -> None:
        for service, process in self._running.values():
            if process.exited.done():
                raise _explain_death(service, process)

    async def stop(self) -> None:
        """Stop what runs, the last started first; return when no process is left."""
        for service, process in reversed(list(self._running.values())):
            if process.exited.done():
                continue
            self._observer.stopping(service)
            began = time.monotonic()
            deadline_s = 0 if self._is_forced else service.stop_within_s
            by_itself = await process.stop(deadline_s, insist_after_s=service.insist_after_s)
            self._observer.stopped(
                service, time.monotonic() - began, by_itself=by_itself and not self._is_forced
            )

    def kill(self) -> None:
        """Kill everything now; a `stop` that is under way then ends at once."""
        self._is_forced = True
        for _, process in self._running.values():
            process.kill()


def _explain_death(service: Service, process: RunningProcess) -> DevstackError:
    code = process.exited.result()
    how = f"was killed by signal {code - 128}" if code > 128 else f"ended with status {code}"
    text = process.log_tail()
    if BIND_FAILED.search(text):
        return PortTaken(
            f"{service.name} {how}: another program took its port ({service.url}) meanwhile. "
            "Start again, or set its port.",
            log_tail=text,
        )
    return ServiceDied(
        f"{service.name} {how}. The end of its log is above, all of it in {process.command.log}. "
        "Then start again.",
        log_tail=text,
    )
