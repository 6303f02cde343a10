"""A real service of few words, to test devstack with: `python -m tests.support.tiny_service MODE`.

    healthy     answers /readyz with 200
    unready     answers /readyz with 503, and has all the time of the world to get ready
    hopeless    answers /readyz with 503, and has a few seconds
    dying       ends at once, with a message and status 3
    mortal      is healthy, and ends with status 4 at GET /die
    stubborn    is healthy and ignores SIGTERM
    rival       finds its port taken
    parent      is healthy and has a child in a session of its own, which ignores SIGTERM

The port is TINY_PORT.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers readiness checks."""

    mode = "healthy"

    def do_GET(self) -> None:
        """Answer, or die."""
        if self.path == "/die" and self.mode == "mortal":
            sys.stderr.write("mortal: as you wish\n")
            os._exit(4)
        status, body = (
            (503, b"still thinking") if self.mode in {"unready", "hopeless"} else (200, b"ok")
        )
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name upstream
        """Say nothing."""


def main(mode: str) -> int:
    """Be the service."""
    if mode == "dying":
        sys.stderr.write("dying: the model file is missing\n")
        return 3
    if mode == "rival":
        other = HTTPServer(("127.0.0.1", 0), Handler)
        HTTPServer(other.server_address[:2], Handler)
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "parent":
        ignoring = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
        subprocess.Popen([sys.executable, "-c", ignoring], start_new_session=True)
    Handler.mode = mode
    HTTPServer(("127.0.0.1", int(os.environ["TINY_PORT"])), Handler).serve_forever()  # noqa: TID251
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
