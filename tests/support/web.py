"""What tests take from web/: LiveKit's JavaScript clients, in Node.js and in a page."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devstack.errors import ToolMissing
from devstack.install.node import Node, find_node
from devstack.install.tools import CHROMIUM
from devstack.install.web import WEB, is_web_current
from devstack.settings import process_environment
from tests.support.pages import PageServer
from tests.support.servers import find_pages, lacking, program

_NODE_ENDS_WITHIN_S = 90.0


@dataclass(frozen=True, kw_only=True)
class Scripts:
    """Runs the programs of web/, with what npm has installed there."""

    node: Node

    def run(self, *argv: str, stdin: str = "") -> str:
        """Run a program in web/ to its end; return what it printed."""
        done = subprocess.run(
            [str(self.node.program), *argv],
            input=stdin,
            cwd=WEB,
            env=self.node.environment(process_environment()),
            capture_output=True,
            text=True,
            check=False,
            timeout=_NODE_ENDS_WITHIN_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def fetch_tokens(self, url: str, *options: dict[str, Any]) -> list[dict[str, Any]]:
        """Fetch tokens from one `TokenSource.endpoint` of livekit-client's.

        Return for each of the `options` the `answer` and the `claims`, or the `error`; and the
        number of `requests` sent by then.
        """
        outcomes: list[dict[str, Any]] = json.loads(
            self.run("test/token_source.mjs", url, stdin=json.dumps(options))
        )
        return outcomes


@pytest.fixture(scope="session")
def scripts() -> Scripts:
    """Node.js and the packages of web/; downloads nothing."""
    if not is_web_current():
        lacking("the packages of web/ are missing or too old: run `make setup`")
    try:
        return Scripts(node=find_node(process_environment()))
    except ToolMissing as error:
        lacking(str(error))


@pytest.fixture(scope="session")
def built_pages() -> Path:
    """The folder with the pages of web/, which `stack` serves then; builds nothing."""
    if (found := find_pages()) is None:
        lacking("the pages of web/ are not built, or not of its sources: run `make setup`")
    return found


@pytest.fixture(scope="session")
def chromium() -> Path:
    """A browser; downloads nothing."""
    return program(CHROMIUM)


@pytest.fixture(scope="session")
def talking_page(scripts: Scripts, page_server: PageServer) -> Path:
    """The page of web/test/page, built; the page server has it at /talk/."""
    return build_page(scripts, "test/page", page_server.directory / "talk")


@pytest.fixture(scope="session")
def leaving_page(scripts: Scripts, page_server: PageServer) -> Path:
    """The page of web/test/leaving, built; the page server has it at /leave/."""
    return build_page(scripts, "test/leaving", page_server.directory / "leave")


def build_page(scripts: Scripts, source: str, target: Path) -> Path:
    """Build the page in a folder of web/ into another folder, and return that."""
    vite = ("node_modules/vite/bin/vite.js", "build", source, "--config", "test/vite.config.ts")
    scripts.run(*vite, "--base", "./", "--outDir", str(target), "--logLevel", "warn")
    assert (target / "index.html").is_file()
    return target
