"""A web server for the pages of tests: another origin than the API's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

JOIN_WITHIN_S = 30.0


@dataclass(frozen=True, kw_only=True)
class PageServer:
    """Serves the files in `directory`; both names lead to it."""

    directory: Path
    port: int

    @property
    def origin(self) -> str:
        """The origin that the API of the fixture `stack` knows."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def unknown_origin(self) -> str:
        """The same pages under a name that it does not know."""
        return f"http://localhost:{self.port}"


@pytest.fixture(scope="session")
def page_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    directory = tmp_path_factory.mktemp("pages")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=directory)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield PageServer(directory=directory, port=server.server_port)
        server.shutdown()
        thread.join(JOIN_WITHIN_S)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep the requests to ourselves."""
