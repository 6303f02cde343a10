"""`python -m supervisor`: supervise a fleet from a process of its own, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack, aclosing
from functools import partial

from pydantic import ValidationError

from rooms.client import open_rooms
from sessions.connection import Temper, connect
from sessions.settings import explain
from sessions.store import SessionStore
from supervisor.changes import ChangeFeed
from supervisor.health import build_app
from supervisor.settings import ProcessSettings
from supervisor.supervisor import Supervisor
from telemetry.endpoint import PortTaken, served
from telemetry.logs import configure_logging
from telemetry.meter import Meter
from telemetry.metrics import NEIGHBOURS, SPANS_LOST, SUPERVISOR, TRACES
from telemetry.tracing import open_traces

logger = logging.getLogger("supervisor")


def main() -> int:
    """Return 0 after an orderly end, 2 when a setting is wrong or missing."""
    argparse.ArgumentParser(
        prog="python -m supervisor",
        description="Voicefleet's supervision without an HTTP API: give the token servers "
        "SUPERVISE=false, or let them stand in for this one. Configured by the environment; see "
        "docs/settings.md.",
    ).parse_args()
    try:
        settings = ProcessSettings()
    except ValidationError as error:
        sys.stderr.write(explain("The supervisor", error))
        return 2
    configure_logging("supervisor", settings.log_level)
    try:
        return asyncio.run(_run(settings))
    except PortTaken as error:
        sys.stderr.write(
            f"The supervisor cannot listen at {error}. "
            "Set SUPERVISOR_PORT to a free one, or to 0 for any.\n"
        )
        return 1


async def _run(settings: ProcessSettings) -> int:
    """Supervise until a signal comes; return 1 where the work itself has ended."""
    done, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    meter = Meter(NEIGHBOURS, SUPERVISOR, TRACES)
    async with AsyncExitStack() as cleanup:
        traces = open_traces(settings, "supervisor", partial(meter.count, SPANS_LOST))
        cleanup.push_async_callback(traces.aclose)
        redis = await cleanup.enter_async_context(aclosing(connect(settings, Temper.PATIENT)))
        rooms = await cleanup.enter_async_context(open_rooms(settings, on_call=meter.note_call))
        store = SessionStore(redis, settings, on_step=meter.note_step)
        feed = ChangeFeed(store)
        supervisor = Supervisor(settings, store, rooms, feed, meter, traces=traces)
        app = build_app(meter, lambda: supervisor.leads)
        where = (settings.supervisor_host, settings.supervisor_port)
        port = await cleanup.enter_async_context(served(app, *where))
        logger.info("supervises", extra={"host": settings.supervisor_host, "port": port})
        return await _until(done, feed.run(), supervisor.run())


async def _until(done: asyncio.Event, *work: Coroutine[object, object, None]) -> int:
    """Do it all until it is done; return 1 when something ended that never should."""
    tasks = [asyncio.create_task(one) for one in work]
    waiting = asyncio.create_task(done.wait())
    await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    for task in (waiting, *tasks):
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            logger.error("the supervision has ended", exc_info=outcome)
    return 0 if done.is_set() else 1


if __name__ == "__main__":
    sys.exit(main())
