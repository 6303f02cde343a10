"""`python -m tokenserver`: serve the API until SIGTERM or Ctrl-C, or print its contract."""

from __future__ import annotations

import argparse
import json
import sys

from pydantic import ValidationError

from sessions.settings import explain
from telemetry.logs import configure_logging
from tokenserver.app import OPERATIONS, create_app
from tokenserver.contract.openapi import document
from tokenserver.serve import Server
from tokenserver.settings import TokenserverSettings


def main() -> int:
    """Return 0 after an orderly end, 2 when a setting is wrong or missing."""
    parser = argparse.ArgumentParser(
        prog="python -m tokenserver",
        description="Voicefleet's HTTP API. Configured by the environment; see docs/settings.md.",
    )
    parser.add_argument(
        "--openapi",
        action="store_true",
        help="print the OpenAPI document and end; no setting is read",
    )
    if parser.parse_args().openapi:
        sys.stdout.write(json.dumps(document(OPERATIONS), indent=2) + "\n")
        return 0
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
