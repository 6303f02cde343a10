"""``python -m localvoice``: serve until told to stop.

Exit status: 0 after SIGTERM or SIGINT, 1 when the models or the port are unusable, 2 for bad
settings.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import uvicorn

from localvoice.app import create_app
from localvoice.arguments import parse_settings
from localvoice.audio.model_files import ModelFileError, check_model_files
from telemetry.logs import configure_logging

_log = logging.getLogger("localvoice")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server. Returns the exit status."""
    # uvicorn stops gracefully, puts these back and raises the signal again.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    settings = parse_settings(arguments)
    configure_logging("localvoice", settings.log_level)
    try:
        files = check_model_files(settings)
    except ModelFileError as error:
        _log.critical("refusing to start", extra={"reason": str(error)})
        return 1
    failed = False

    def stop_failed() -> None:
        nonlocal failed
        failed = True
        server.should_exit = True

    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings, files, on_failure=stop_failed),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=settings.shutdown_timeout_s,
        )
    )
    _log.info("starting", extra={"host": settings.host, "port": settings.port})
    try:
        server.run()
    except SystemExit as end:  # by a signal, or because the port is taken
        return 1 if failed or end.code else 0
    return 1 if failed else 0


def _leave(_: int, __: FrameType | None) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
