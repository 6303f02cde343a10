"""Starts the real localvoice as a process of its own and ends it by its id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from devstack.services.ports import free_port
from tests.support.plain import NO_TLS

#: Loading takes about a second; a loaded machine may need many.
START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 30.0
REPOSITORY = Path(__file__).parents[3]


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    url: str
    log_path: Path

    @property
    def api(self) -> str:
        """What a client takes for its base URL."""
        return f"{self.url}/v1"

    def log(self) -> str:
        """Everything it has logged so far."""
        return self.log_path.read_text(errors="replace")

    def load(self, engine: str) -> dict[str, int]:
        """How busy ``transcription`` or ``speech`` is."""
        answer = httpx2.get(f"{self.url}/readyz", timeout=10, verify=NO_TLS)
        load: dict[str, int] = answer.json()[engine]
        return load


def spawn(*flags: str, **settings: object) -> Server:
    """Start a process; ``settings`` become LOCALVOICE_* variables. Does not wait for it."""
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LOCALVOICE_")}  # noqa: TID251
    environment |= {f"LOCALVOICE_{name.upper()}": str(value) for name, value in settings.items()}
    environment["PYTHONFAULTHANDLER"] = "1"
    with tempfile.NamedTemporaryFile(prefix="localvoice-", suffix=".log", delete=False) as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "localvoice", "--port", str(port), *flags],
            cwd=REPOSITORY,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return Server(process, f"http://127.0.0.1:{port}", Path(log.name))


def wait_until_ready(server: Server, path: str = "/readyz") -> None:
    """Return once the path answers 200; raise with the log when it never does."""
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        try:
            if httpx2.get(f"{server.url}{path}", timeout=5, verify=NO_TLS).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"localvoice did not become ready:\n{server.log()}")


@contextmanager
def running(*flags: str, **settings: object) -> Iterator[Server]:
    """A ready server for the length of the block."""
    server = spawn(*flags, **settings)
    try:
        wait_until_ready(server)
        yield server
    finally:
        stop(server)


def stop(server: Server) -> int:
    """End the process by its id and return its exit status."""
    if server.process.poll() is None:
        server.process.terminate()
        try:
            server.process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired as error:
            # Python's fault handler writes where every thread is.
            server.process.send_signal(signal.SIGABRT)
            server.process.wait()
            raise RuntimeError(f"localvoice did not end:\n{server.log()}") from error
    status = server.process.returncode
    server.log_path.unlink(missing_ok=True)
    return status
