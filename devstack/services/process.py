"""A program that runs on a leash: see `leash.py` for what holds it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from devstack.logs import TAIL_LINES, rotate, tail
from devstack.settings import LEASH


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run. `env` is the whole environment; it may hold secrets, so it is not shown."""

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(repr=False)
    cwd: Path | None = None


class RunningProcess:
    """A started command, alive until `exited` is done.

    Belongs to the event loop that started it. When this whole process dies, however it dies, the
    command and its descendants are gone a few seconds later.
    """

    def __init__(self, command: Command, leash: asyncio.subprocess.Process, pid: int) -> None:
        self.command = command
        self.pid = pid
        self._leash = leash
        self.exited: asyncio.Task[int] = asyncio.create_task(
            self._wait(), name=f"{command.name} runs"
        )

    @classmethod
    async def start(cls, command: Command) -> Self:
        """Start `command`, its output going to a new log; the previous log becomes `<log>.1`.

        A program that cannot be started looks like one that ended at once with status 127.
        """
        rotate(command.log)
        with command.log.open("wb") as log:
            leash = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(LEASH), *command.argv),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=dict(command.env),
                cwd=command.cwd,
                start_new_session=True,
            )
        assert leash.stdout is not None  # noqa: S101 - asked for two lines above
        try:
            report = await leash.stdout.readline()
        except asyncio.CancelledError:
            _send(leash, b"K")
            raise
        return cls(command, leash, int(report.split()[1]) if report else leash.pid)

    @property
    def name(self) -> str:
        """The command's name."""
        return self.command.name

    async def _wait(self) -> int:
        return await self._leash.wait()

    def terminate(self) -> None:
        """Ask it to stop."""
        _send(self._leash, b"T")

    def kill(self) -> None:
        """Kill it with all its descendants."""
        _send(self._leash, b"K")

    async def stop(self, deadline_s: float, *, insist_after_s: float | None = None) -> bool:
        """Ask it to stop; kill it after `deadline_s`. Return whether it left by itself.

        Some programs take a second request, `insist_after_s` later, as "wait for nobody".
        When this returns, neither the program nor a descendant is left.
        """
        self.terminate()
        if insist_after_s is not None:
            await asyncio.wait({self.exited}, timeout=min(insist_after_s, deadline_s))
            self.terminate()
        done, _ = await asyncio.wait({self.exited}, timeout=deadline_s)
        if not done:
            self.kill()
        await asyncio.shield(self.exited)
        return bool(done)

    def log_tail(self, lines: int = TAIL_LINES) -> str:
        """Return the last lines it wrote."""
        return tail(self.command.log, lines)


def _send(leash: asyncio.subprocess.Process, command: bytes) -> None:
    """Write to the leash; one that is gone needs no command."""
    if leash.stdin is not None and leash.returncode is None:
        with suppress(ConnectionError, RuntimeError):
            leash.stdin.write(command)
