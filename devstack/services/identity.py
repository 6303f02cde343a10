"""Processes by more than their number, which is used again after their end."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class ProcessId:
    """A pid and when its process started."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Self:
        """Identify a process; one that is gone gets an identity that nothing has."""
        return cls(pid, start_token(pid) or "gone")

    @classmethod
    def from_json(cls, value: object) -> Self | None:
        """Read what `as_json` wrote."""
        match value:
            case [int(pid), str(started)]:
                return cls(pid, started)
        return None

    def as_json(self) -> list[int | str]:
        """Write it down."""
        return [self.pid, self.started]

    def is_alive(self) -> bool:
        """Say whether this very process still runs."""
        return start_token(self.pid) == self.started


def start_token(pid: int) -> str | None:
    """Return what tells a process from all others with its pid; None when it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None if BOOT_ID.exists() else _start_time_by_ps(pid)
    is_zombie = fields[0] in {"Z", "X"}
    return None if is_zombie else f"{BOOT_ID.read_text().strip()[:8]}-{fields[19]}"


def _start_time_by_ps(pid: int) -> str | None:
    """Ask ps, on systems without /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    answer = subprocess.run(
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or None
