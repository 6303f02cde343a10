"""`make web-dev`: Vite serves the sources and forwards calls of the API to the running stack."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from devstack.install.web import WEB
from devstack.services.ports import free_port
from devstack.settings import REPO
from tests.integration.devstack.conftest import NewStack, make_web
from tests.support.programs import ENDS_WITHIN_S, StackProgram
from tests.support.wait import eventually_sync

VITE_CONFIG = """export default {
    cacheDir: "../cache",
    server: { proxy: { "/api": process.env.VOICEFLEET_API_URL } },
};"""
SERVE = """import sys
from pathlib import Path
from devstack.services.web_dev import serve_sources
from devstack.settings import load_environment
from devstack.terminal import Terminal
serve_sources(load_environment(), Terminal({}), Path(sys.argv[1]))
"""


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A web/ with a page, and Vite."""
    web = make_web(tmp_path / "web")
    shutil.rmtree(web / "node_modules")
    (web / "node_modules").symlink_to(WEB / "node_modules")
    shutil.copy(WEB / "package-lock.json", web)
    (web / "index.html").write_text("<title>edited</title>")
    (web / "vite.config.ts").write_text(VITE_CONFIG)
    return web


@pytest.fixture
def stack(new_stack: NewStack) -> StackProgram:
    """A stack whose token server is tiny and says "ok" to everything."""
    stack = new_stack("healthy,healthy", {"WEB_DEV_PORT": str(free_port())})
    stack.start()
    stack.until_ready()
    return stack


@pytest.fixture
def vite(stack: StackProgram, web: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(web)],
        stdout=subprocess.DEVNULL,
        env=stack.env,
        cwd=REPO,
        start_new_session=True,
    ) as process:
        yield process
        process.kill()


def get(stack: StackProgram, path: str) -> str:
    connection = HTTPConnection("127.0.0.1", int(stack.env["WEB_DEV_PORT"]), timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@pytest.mark.usefixtures("scripts")
def test_the_sources_are_served_and_the_api_is_the_stacks(
    stack: StackProgram, vite: subprocess.Popen[bytes]
) -> None:
    def page() -> str:
        assert vite.poll() is None
        try:
            return get(stack, "/")
        except ConnectionRefusedError:
            return ""

    served = eventually_sync(page, ENDS_WITHIN_S, message="Vite listens")

    assert "<title>edited</title>" in served
    assert "/@vite/client" in served, "the part that loads a page again when it was edited"
    assert get(stack, "/api/health") == "ok"

    command = Path(f"/proc/{vite.pid}/cmdline").read_bytes().split(b"\0")
    assert command[1] == b"node_modules/vite/bin/vite.js", "it is Vite that gets the signals"
    vite.send_signal(signal.SIGTERM)
    vite.wait(ENDS_WITHIN_S)
    assert "vite" not in "".join(stack.processes().values())


def test_a_port_that_is_taken_is_an_error(stack: StackProgram) -> None:
    port = stack.env["WEB_DEV_PORT"]
    with socket.create_server(("127.0.0.1", int(port))):
        done = stack.command("web-dev")
    assert done.returncode == 1
    assert f"WEB_DEV_PORT={port} is taken by " in done.stdout
