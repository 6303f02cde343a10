"""The benchmark of the store runs through. What it measures here says nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from devstack.install.tools import REDIS
from devstack.settings import REPO
from tests.support.programs import processes_with
from tests.support.servers import neutral_environment, program
from tests.support.wait import eventually_sync

WITHIN_S = 100.0
TINY = (
    *("--quick", "--sessions", "30", "--wait-s", "2", "--clients", "1,4", "--rounds", "1"),
    *("--seconds", "0.1", "--small", "10", "--large", "20", "--samples", "10"),
)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bench.store", *arguments]


def run(
    arguments: Sequence[str], env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=REPO,
        env=neutral_environment() | (env or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )


@pytest.fixture
def redis_env() -> dict[str, str]:
    """The environment that names the Redis program."""
    return {REDIS.setting: str(program(REDIS))}


def test_all_parts_run_and_tell_their_figures(tmp_path: Path, redis_env: dict[str, str]) -> None:
    file = tmp_path / "figures.json"

    done = run([*TINY, "--json", str(file)], redis_env)

    assert done.returncode == 0, done.stderr
    assert "Python 3." in done.stdout.splitlines()[0]
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found["machine"]["cores"] >= 1
    parts = [table["part"] for table in found["tables"]]
    assert parts == ["memory", "memory", "leftovers", "throughput", "latency"]
    for table in found["tables"]:
        assert f"{table['part']}: {table['question']}" in done.stdout
        for row in table["rows"]:
            assert row["name"] in done.stdout
            assert (row["aim"] is None) == (row["verdict"] is None)
            assert row["verdict"] in {None, "met", "missed"}


def test_a_part_can_be_had_alone(redis_env: dict[str, str]) -> None:
    done = run([*TINY, "--only", "throughput", "--aof"], redis_env)
    assert done.returncode == 0, done.stderr
    assert "AOF" in done.stdout
    assert "throughput:" in done.stdout
    assert "memory:" not in done.stdout


def test_without_redis_it_says_what_to_do(tmp_path: Path) -> None:
    nowhere = {"PATH": str(tmp_path), "VOICEFLEET_CACHE": str(tmp_path), REDIS.setting: ""}
    done = run(TINY, nowhere)
    assert done.returncode == 1
    assert "make setup" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_redis(
    tmp_path: Path, redis_env: dict[str, str], number: signal.Signals
) -> None:
    mark = f"TMPDIR={tmp_path}"
    with subprocess.Popen(
        command("--only", "throughput", "--seconds", "60"),
        cwd=REPO,
        env=neutral_environment() | redis_env | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as bench:
        try:
            assert bench.stdout is not None
            # The first line is there before the part's own Redis runs.
            assert "Redis" in bench.stdout.readline()
            eventually_sync(
                lambda: any("redis-server" in line for line in processes_with(mark).values()),
                WITHIN_S,
                message="Redis runs",
            )
            bench.send_signal(number)
            assert bench.wait(WITHIN_S) == 130
        finally:
            bench.kill()
    eventually_sync(lambda: not processes_with(mark), WITHIN_S, message="everything is gone")
    assert not list(tmp_path.glob("bench-redis-*"))
