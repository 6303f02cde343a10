"""`python -m tokenserver`: serve the API until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import sys

import uvicorn
from pydantic import ValidationError

from sessions.settings import explain
from telemetry.logs import configure_logging
from tokenserver.app import create_app
from tokenserver.settings import TokenserverSettings

#: Requests under way when the process is told to stop may take this long.
_GRACE_S = 5


def main() -> int:
    """Return 0 after an orderly end, 2 when a setting is wrong or missing."""
    argparse.ArgumentParser(
        prog="python -m tokenserver",
        description="Voicefleet's HTTP API. Configured by the environment; see docs/settings.md.",
    ).parse_args()
    try:
        settings = TokenserverSettings()
    except ValidationError as error:
        sys.stderr.write(explain("The token server", error))
        return 2
    configure_logging("tokenserver", settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.tokenserver_host,
        port=settings.tokenserver_port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_GRACE_S,
        # Nobody's X-Forwarded-For is believed; a proxy in front changes nothing yet.
        proxy_headers=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
