"""`python -m tokenserver`: serve the API until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import sys

from pydantic import ValidationError

from sessions.settings import explain
from telemetry.logs import configure_logging
from tokenserver.app import create_app
from tokenserver.serve import Server
from tokenserver.settings import TokenserverSettings


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
    Server(create_app(settings), settings).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
