"""``python -m localvoice``: serve until told to stop.

Exit status: 0 after SIGTERM or SIGINT, 1 when the models or the port are unusable, 2 for bad
settings.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import uvicorn

from localvoice.app import create_app
from localvoice.arguments import parse_settings
from localvoice.audio.model_files import ModelFileError, ModelFiles, check_model_files
from localvoice.engines import Engines
from localvoice.settings import Settings
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
    _log.info("starting", extra={"host": settings.host, "port": settings.port})
    return _serve(settings, files)


def _serve(settings: Settings, files: ModelFiles) -> int:
    failed = False

    def stop_failed() -> None:
        nonlocal failed
        failed = True
        server.should_exit = True

    app = create_app(settings, files, on_failure=stop_failed)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=settings.shutdown_timeout_s,
        )
    )
    try:
        server.run()
    except SystemExit as end:  # by a signal, or because the port is taken
        failed = failed or bool(end.code)
    engines: Engines | None = getattr(app.state, "engines", None)
    if engines is not None and engines.is_busy:
        # Native code in the middle of a window cannot be interrupted. Nobody waits for its
        # result and it has nothing to lose, so the process does not wait for it either.
        logging.shutdown()
        os._exit(int(failed))
    return int(failed)


def _leave(_: int, __: FrameType | None) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
