"""Running the worker, and stopping it in good order.

At the first SIGTERM or SIGINT: 1. no call is taken any more, and `/readyz` says so; 2. LiveKit is
told that this worker is full; 3. calls may go on until they are over or time is up; 4. shortly
before that, those that are left are handed over to other workers (handover.py); 5. the ones that
nobody could take are ended; 6. the processes are stopped. A second signal kills all processes at
once. A worker that scale-in has drained does the same by itself when it is empty, with
`SCALE_IN_EXIT`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from telemetry.endpoint import served
from worker.background import Background
from worker.host.connection import GivenUp
from worker.host.errors_log import log_errors
from worker.host.figures import receiving
from worker.host.health import build_app
from worker.host.server import Worker
from worker.voice.clips import keep_clips

logger = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def run_worker(worker: Worker, errors_of_jobs: int | None = None) -> int:
    """Run until a signal comes, LiveKit is given up or it is not wanted; return the exit status.

    `errors_of_jobs`: where the standard error of job processes comes out, if it does.
    """
    settings = worker.settings
    stop, stopped = asyncio.Event(), asyncio.Event()
    with _signals(worker, stop):
        app = build_app(worker.health, worker.scrape.text)
        figures = receiving(worker.figures_at, worker.scrape.meter)
        async with figures, served(app, settings.worker_host, settings.worker_port):
            background = Background(logger, "a part of the worker failed")
            running = asyncio.create_task(worker.server.run())
            registered = background.go(worker.registry.run(stopped, retire=stop.set))
            filling = background.go(worker.pool.run())
            making_clips = background.go(keep_clips(worker.cast))
            if errors_of_jobs is not None:
                background.go(log_errors(errors_of_jobs))
            stopping = asyncio.create_task(stop.wait())
            # Without any of these no call would be taken any more.
            await asyncio.wait(
                {running, registered, filling, stopping}, return_when=asyncio.FIRST_COMPLETED
            )
            stopping.cancel()
            making_clips.cancel()
            is_wanted = not _has_failed(running) and stop.is_set()
            await _drain(worker, background)
            stopped.set()
            await asyncio.wait({running, registered})
            await worker.crashes.settle()
            await background.aclose()
            await worker.redis.aclose()
    return 0 if is_wanted else 1


def _has_failed(running: asyncio.Task[None]) -> bool:
    """Say whether the framework's server failed, and tell it."""
    if not running.done() or (failure := running.exception()) is None:
        return False
    cause = None if isinstance(failure, GivenUp) else failure
    logger.error("worker failed", extra={"error": str(failure)}, exc_info=cause)
    return True


async def _drain(worker: Worker, background: Background) -> None:
    worker.gate.is_draining = True
    logger.info("draining", extra={"active": worker.pool.active})
    handing_over = background.go(worker.handover.run())
    try:
        await worker.server.drain()
    except TimeoutError:
        logger.warning("calls cut off", extra={"active": worker.pool.active})
    handing_over.cancel()
    await worker.server.aclose()
    logger.info("stopped")


@contextmanager
def _signals(worker: Worker, stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            worker.pool.kill()
            os._exit(128 + number)
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
