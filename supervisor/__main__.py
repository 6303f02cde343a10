"""`python -m supervisor`: supervise a fleet from a process of its own, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from contextlib import aclosing

from prometheus_client import CollectorRegistry
from pydantic import Field, ValidationError

from rooms.client import open_rooms
from sessions.connection import Temper, connect
from sessions.settings import explain
from sessions.store import SessionStore
from supervisor.changes import ChangeFeed
from supervisor.settings import SupervisorSettings
from supervisor.supervisor import Supervisor
from telemetry.logs import configure_logging
from telemetry.metrics import SupervisorMetrics


class _Settings(SupervisorSettings):
    log_level: str = Field("INFO", pattern=r"^(?i:debug|info|warning|error)$")


def main() -> int:
    """Return 0 after an orderly end, 2 when a setting is wrong or missing."""
    argparse.ArgumentParser(
        prog="python -m supervisor",
        description="Voicefleet's supervision without an HTTP API: give the token servers "
        "SUPERVISE=false, or let them stand in for this one. Configured by the environment; see "
        "docs/settings.md.",
    ).parse_args()
    try:
        settings = _Settings()
    except ValidationError as error:
        sys.stderr.write(explain("The supervisor", error))
        return 2
    configure_logging("supervisor", settings.log_level)
    asyncio.run(_run(settings))
    return 0


async def _run(settings: SupervisorSettings) -> None:
    """Supervise until a signal comes."""
    done, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    async with aclosing(connect(settings, Temper.PATIENT)) as redis, open_rooms(settings) as rooms:
        store = SessionStore(redis, settings)
        feed = ChangeFeed(store)
        metrics = SupervisorMetrics(CollectorRegistry())
        supervisor = Supervisor(settings, store, rooms, feed, metrics)
        tasks = [asyncio.create_task(one) for one in (feed.run(), supervisor.run())]
        await done.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    sys.exit(main())
