"""``python -m worker``: run a worker until it is told to stop.

Exits with 0 after a signal and an orderly end, with 1 when LiveKit cannot be reached or the health
port is taken, with 2 when the settings are unusable, or the files of personas and tools.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from pydantic import ValidationError

from sessions.settings import explain
from worker.settings import WorkerSettings


def main() -> int:
    """Run the worker and return its exit status."""
    argparse.ArgumentParser(
        prog="python -m worker",
        description="A worker of Voicefleet. Configured by the environment; see docs/settings.md.",
    ).parse_args()
    try:
        settings = WorkerSettings()
    except ValidationError as error:
        sys.stderr.write(explain("The worker", error))
        return 2
    # Not at the top: job processes import this file again and need none of it.
    from telemetry.endpoint import PortTaken  # noqa: PLC0415
    from telemetry.logs import complete_lines, configure_logging  # noqa: PLC0415
    from worker.errors import Unusable  # noqa: PLC0415
    from worker.host.drain import run_worker  # noqa: PLC0415
    from worker.host.forkserver import fork_forkserver  # noqa: PLC0415
    from worker.host.server import build_worker  # noqa: PLC0415
    from worker.job.hooks import PRELOADED  # noqa: PLC0415

    errors_of_jobs = fork_forkserver(PRELOADED)
    configure_logging("worker", settings.log_level)
    try:
        worker = build_worker(settings)
    except Unusable as error:
        lines = ["The worker cannot start with these files:", *error.problems]
        sys.stderr.write("\n  ".join(lines) + "\n")
        return 2
    complete_lines(worker.subjects)
    try:
        return asyncio.run(run_worker(worker, errors_of_jobs))
    except PortTaken as error:
        sys.stderr.write(f"worker: cannot listen on {error}; set WORKER_PORT to another one\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
