"""The parent of several workers: who dies is started again, a signal is passed on, none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.settings import REPO
from tests.support.wait import eventually_sync

PARENT = """
import pathlib, signal, sys
from bench.race.children import Children
folder, told = pathlib.Path(sys.argv[1]), sys.argv[2]
def stop(number, _):
    (folder / "told").open("a").write(f"{number} ")
    if told == "obeys": sys.exit(0)
def serve(number):
    signal.signal(signal.SIGTERM, stop)
    (folder / f"ready-{number}").open("a").write("once ")
    while True: signal.pause()
def tell(text): print(text, flush=True)
sys.exit(Children(serve, 2, ends_within_s=float(sys.argv[3]), tell=tell).run())
"""


@contextmanager
def running(folder: Path, told: str, ends_within_s: float) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", PARENT, str(folder), told, str(ends_within_s)]
    with (folder / "log").open("w") as log:
        parent = subprocess.Popen(argv, cwd=REPO, stdout=log, stderr=log, text=True)
    try:
        eventually_sync(lambda: (folder / "ready-0").exists() and (folder / "ready-1").exists())
        yield parent
    finally:
        parent.kill()
        parent.wait()


def pid_of(folder: Path, number: int) -> int:
    lines = (folder / "log").read_text().splitlines()
    return int(next(one for one in reversed(lines) if f"child {number} started" in one).split()[-1])


def test_a_child_that_dies_is_started_again_and_the_other_goes_on(tmp_path: Path) -> None:
    with running(tmp_path, "obeys", 30):
        other = pid_of(tmp_path, 1)
        os.kill(pid_of(tmp_path, 0), signal.SIGKILL)

        eventually_sync(lambda: (tmp_path / "ready-0").read_text() == "once once ")

        assert "status -9" in (tmp_path / "log").read_text()
        assert pid_of(tmp_path, 1) == other
        assert (tmp_path / "ready-1").read_text() == "once "


def test_a_signal_is_passed_on_and_the_children_waited_for(tmp_path: Path) -> None:
    with running(tmp_path, "obeys", 30) as parent:
        parent.send_signal(signal.SIGTERM)

        assert parent.wait(timeout=30) == 0

    assert (tmp_path / "told").read_text() == "15 15 "


def test_children_that_do_not_end_in_time_are_killed(tmp_path: Path) -> None:
    with running(tmp_path, "stays", 0.5) as parent:
        parent.send_signal(signal.SIGTERM)

        assert parent.wait(timeout=30) == 1

    assert (tmp_path / "log").read_text().count("is killed") == 2


def test_children_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    with running(tmp_path, "obeys", 30) as parent:
        parent.kill()

        eventually_sync((tmp_path / "told").exists)
        eventually_sync(lambda: (tmp_path / "told").read_text() == "15 15 ")
