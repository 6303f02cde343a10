"""``python -m worker``: run a worker until it is told to stop.

Exits with 0 after a signal and an orderly end, with 1 when LiveKit cannot be reached or the health
port is taken, with 2 when the settings are unusable.
"""

from __future__ import annotations

import asyncio
import sys

from pydantic import ValidationError

from worker.settings import WorkerSettings


def main() -> int:
    """Run the worker and return its exit status."""
    try:
        settings = WorkerSettings()
    except ValidationError as error:
        sys.stderr.write(describe(error))
        return 2
    # Not at the top: job processes import this file again and need none of it.
    from telemetry.logs import configure_logging  # noqa: PLC0415
    from worker.drain import run_worker  # noqa: PLC0415
    from worker.server import build_worker  # noqa: PLC0415

    configure_logging("worker", settings.log_level)
    try:
        return asyncio.run(run_worker(build_worker(settings)))
    except OSError as error:
        sys.stderr.write(f"worker: {error.strerror or error}\n")
        return 1


def describe(error: ValidationError) -> str:
    """Say which settings are unusable and why, without showing their values."""
    lines = [
        f"  {'.'.join(map(str, item['loc'])).upper()}: {item['msg']}\n"
        for item in error.errors(include_input=False, include_url=False)
    ]
    return "worker: unusable settings\n" + "".join(lines)


if __name__ == "__main__":
    sys.exit(main())
