"""`make observe`: what it needs, what it says, and that it leaves nothing behind."""

from __future__ import annotations

import json
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from devstack.install.tools import PROMETHEUS
from devstack.services.ports import free_port
from devstack.services.record import stack_file
from tests.integration.devstack.conftest import NewStack
from tests.support.observer import observing
from tests.support.programs import StackProgram
from tests.support.servers import program
from tests.support.wait import eventually_sync


@pytest.fixture
def stack(new_stack: NewStack) -> StackProgram:
    """A stack whose token server and worker are tiny: what they say is no page of figures."""
    variables = {
        PROMETHEUS.setting: str(program(PROMETHEUS)),
        "PROMETHEUS_PORT": str(free_port()),
        "ADMIN_API_KEY": "a-secret-for-tests-only",
    }
    stack = new_stack("healthy,healthy,healthy", variables)
    stack.start()
    stack.until_ready()
    return stack


def prometheus_of(stack: StackProgram) -> dict[int, str]:
    """Return its processes: pid to command line."""
    return {pid: line for pid, line in stack.processes().items() if "--storage.tsdb" in line}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_it_and_not_the_stack(
    stack: StackProgram, tmp_path: Path, number: signal.Signals
) -> None:
    with observing(stack.env, tmp_path / "observe.log") as observer:
        url = observer.until_ready()
        assert url.endswith(f":{stack.env['PROMETHEUS_PORT']}")
        assert prometheus_of(stack)

        assert observer.end(number) == 0

    assert " stopped " in observer.output
    assert not prometheus_of(stack)
    assert stack_file(stack.run_dir).exists()


def test_killed_it_leaves_no_prometheus(stack: StackProgram, tmp_path: Path) -> None:
    with observing(stack.env, tmp_path / "observe.log") as observer:
        observer.until_ready()
        observer.end(signal.SIGKILL)
    eventually_sync(lambda: not prometheus_of(stack), message="Prometheus ends")


def test_the_key_is_in_one_file_and_nowhere_else(stack: StackProgram, tmp_path: Path) -> None:
    directory = stack.run_dir / "prometheus"
    with observing(stack.env, tmp_path / "observe.log") as observer:
        observer.until_ready()
        assert (directory / "admin-key").read_text() == "a-secret-for-tests-only"
        assert (directory / "admin-key").stat().st_mode & 0o777 == 0o600
        assert directory.stat().st_mode & 0o777 == 0o700
        assert "secret" not in "".join(prometheus_of(stack).values())
        observer.end(signal.SIGTERM)

    assert "secret" not in observer.output
    assert "secret" not in (stack.run_dir / "logs" / "prometheus.log").read_text()
    assert "secret" not in (directory / "prometheus.yml").read_text()
    assert not (directory / "admin-key").exists()


def test_what_it_says_to_look_at_is_there(stack: StackProgram, tmp_path: Path) -> None:
    with observing(stack.env, tmp_path / "observe.log") as observer:
        observer.until_ready()
        words = observer.output.split()
        for name in ("targets", "alerts"):
            page = words[words.index(name) + 1]
            assert page.endswith(f"/{name}")
            with urllib.request.urlopen(page, timeout=20) as answer:  # noqa: S310 - http
                assert answer.status == 200


def test_there_is_one_at_a_time(stack: StackProgram, tmp_path: Path) -> None:
    with observing(stack.env, tmp_path / "observe.log") as observer:
        observer.until_ready()
        done = stack.command("observe")
        assert done.returncode == 1
        assert done.stdout.startswith("error: this stack is observed already:")
        assert observer.process.poll() is None


def test_what_was_seen_is_kept(stack: StackProgram, tmp_path: Path) -> None:
    """1. A target is scraped, in vain. 2. Prometheus ends, and starts again.

    Result: it still knows of that.
    """

    def seen(url: str) -> int:
        query = f"{url}/api/v1/query?query=count_over_time(up%5B1h%5D)"
        with urllib.request.urlopen(query, timeout=20) as answer:  # noqa: S310 - http
            return len(json.load(answer)["data"]["result"])

    with observing(stack.env, tmp_path / "first.log") as observer:
        url = observer.until_ready()
        eventually_sync(lambda: seen(url) == 2, 60, message="both were scraped")
        assert observer.end(signal.SIGTERM) == 0
    with observing(stack.env, tmp_path / "second.log") as observer:
        assert seen(observer.until_ready()) == 2


def test_a_port_that_is_taken_is_an_error(stack: StackProgram) -> None:
    port = stack.env["PROMETHEUS_PORT"]
    with socket.create_server(("127.0.0.1", int(port))):
        done = stack.command("observe")
    assert done.returncode == 1
    assert f"PROMETHEUS_PORT={port} is taken by " in done.stdout


def test_without_prometheus_it_says_how_to_get_one(new_stack: NewStack, tmp_path: Path) -> None:
    without = {"PATH": "/nowhere", "VOICEFLEET_CACHE": str(tmp_path), PROMETHEUS.setting: ""}
    stack = new_stack("healthy", without)
    stack.start()
    stack.until_ready()
    done = stack.command("observe")
    assert done.returncode == 1
    assert done.stdout.startswith("error: no Prometheus: Install one (`apt install prometheus`")
    assert PROMETHEUS.setting in done.stdout
