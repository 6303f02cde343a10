"""Runs what a Dockerfile makes, as an engine would with `--read-only`, until it is healthy.

Its process is number 1 of its room, has the user of the image and no rights besides, and can write
nothing but `/tmp` and the volumes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devstack.errors import DevstackError
from devstack.images.replay import Image, owned_by
from devstack.images.room import PATH, TEMPORARY, Room, lent
from devstack.services.process import Command, RunningProcess

CHECK_WITHIN_S = 30.0
"""How long the command of a HEALTHCHECK may take here, where everything else may be busy."""
INTERVAL_S = 0.5


class TrialFailed(DevstackError):
    """Raised when an image does not do what it should; `log_tail` tells its last words."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """An image and what it is started with; `folder` takes its log and its volumes."""

    image: Image
    settings: Mapping[str, str] = field(repr=False)
    folder: Path
    healthy_within_s: float
    stops_within_s: float

    @property
    def volumes(self) -> dict[str, Path]:
        """Where the volumes of the image are on this machine."""
        return {at: self.folder / "volumes" / at.strip("/") for at in self.image.volumes}


class Running:
    """An image that runs."""

    def __init__(self, trial: Trial, room: Room, env: Mapping[str, str]) -> None:
        self.trial = trial
        self._room = room
        self._env = env
        self._process: RunningProcess | None = None

    @classmethod
    async def start(cls, trial: Trial) -> Running:
        """Start it; `stop` is owed in every case."""
        image = trial.image
        for folder in trial.volumes.values():
            folder.mkdir(parents=True)
            owned_by(folder, image.user)
        room = Room(
            root=image.root,
            workdir=image.workdir,
            user=image.user,
            read_only=True,
            shared=trial.volumes,
        )
        env = {"PATH": PATH, **image.env, **trial.settings}
        running = cls(trial, room, env)
        running._process = await RunningProcess.start(
            Command(
                name=image.name,
                argv=room.command(image.entrypoint),
                log=trial.folder / f"{image.name}.log",
                env=env,
            )
        )
        return running

    async def until_healthy(self) -> float:
        """Run the HEALTHCHECK until it succeeds; return how many seconds that took.

        Raises `TrialFailed` when the image ends first, or it takes too long.
        """
        began = time.monotonic()
        deadline = began + self.trial.healthy_within_s
        while (problem := await self._problem()) is not None:
            self._must_run()
            if time.monotonic() > deadline:
                raise self._failed(
                    f"was not healthy within {self.trial.healthy_within_s:.0f} s: {problem}"
                )
            await asyncio.sleep(INTERVAL_S)
        self._must_run()
        return time.monotonic() - began

    async def _problem(self) -> str | None:
        """Run the HEALTHCHECK once, in a room like the image's; None: it is healthy."""
        process = await asyncio.create_subprocess_exec(
            *self._room.command(self.trial.image.healthcheck),
            env=dict(self._env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), CHECK_WITHIN_S)
        except TimeoutError:
            return f"the HEALTHCHECK took more than {CHECK_WITHIN_S:.0f} s"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == 0:
            return None
        return output.decode(errors="replace").strip().rpartition("\n")[2]

    def must_be_unprivileged(self) -> None:
        """Raise `TrialFailed` unless its first process has the image's user, and no rights."""
        status = (Path("/proc") / str(self._first_pid()) / "status").read_text(encoding="utf-8")
        lines = dict(line.partition(":\t")[::2] for line in status.splitlines())
        uid, _, gid = self.trial.image.user.partition(":")
        users = {*lines["Uid"].split(), *lines["Gid"].split()}
        if users != {uid, gid or uid} or int(lines["CapEff"], 16) or lines["NoNewPrivs"] != "1":
            raise self._failed(f"runs as {lines['Uid'].split()[0]}, rights {lines['CapEff']}")

    def written(self) -> list[str]:
        """Return what it has written so far to `/tmp` and to its volumes, folders with a slash."""
        root = Path("/proc") / str(self._first_pid()) / "root"
        places = {TEMPORARY: root / TEMPORARY.strip("/")}
        places |= self.trial.volumes
        besides = [Path(one) for one in lent()]
        return sorted(
            f"{at}/{path.relative_to(place)}{'/' if path.is_dir() else ''}"
            for at, place in places.items()
            for path in place.rglob("*")
            if not _is_of(besides, Path(at, path.relative_to(place)))
        )

    async def until(self, is_so: Callable[[], bool], what: str, within_s: float) -> None:
        """Wait for a condition. Raises `TrialFailed` when it does not come."""
        deadline = time.monotonic() + within_s
        while not is_so():
            self._must_run()
            if time.monotonic() > deadline:
                raise self._failed(f"{what}: not within {within_s:.0f} s")
            await asyncio.sleep(INTERVAL_S)

    async def end(self) -> float:
        """Send SIGTERM to its first process; return how many seconds it took to end.

        Raises `TrialFailed` unless it ends in time with status 0.
        """
        process = self._started()
        self._must_run()
        began = time.monotonic()
        os.kill(self._first_pid(), signal.SIGTERM)
        await asyncio.wait({process.exited}, timeout=self.trial.stops_within_s)
        if not process.exited.done():
            raise self._failed(f"ran on {self.trial.stops_within_s:.0f} s after SIGTERM")
        if code := process.exited.result():
            raise self._failed(f"ended with status {code} after SIGTERM")
        return time.monotonic() - began

    async def stop(self) -> None:
        """See that nothing of it runs any more, whatever has become of it."""
        process = self._started()
        if not process.exited.done():
            process.kill()
        await asyncio.shield(process.exited)

    def _started(self) -> RunningProcess:
        if self._process is None:
            raise RuntimeError("it was never started")
        return self._process

    def _must_run(self) -> None:
        process = self._started()
        if process.exited.done():
            raise self._failed(f"ended by itself with status {process.exited.result()}")

    def _first_pid(self) -> int:
        """Return the process that is number 1 in the room: the child of unshare(1)."""
        pid = self._started().pid
        text = (Path("/proc") / str(pid) / "task" / str(pid) / "children").read_text("ascii")
        if not text.split():
            raise self._failed("has ended")
        return int(text.split()[0])

    def _failed(self, what: str) -> TrialFailed:
        return TrialFailed(
            f"the image {self.trial.image.name} {what}.", log_tail=self._started().log_tail()
        )


def _is_of(folders: Sequence[Path], path: Path) -> bool:
    """Say whether something is in one of these folders, or on the way to it."""
    return any(path.is_relative_to(one) or one.is_relative_to(path) for one in folders)
