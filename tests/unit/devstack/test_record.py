"""What a killed stack leaves and nobody can end."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from pathlib import Path

import pytest

from devstack.errors import LeftoversRemain
from devstack.services.identity import ProcessId
from devstack.services.record import StackLock, lock_path, read_holder


def test_a_leftover_that_cannot_be_killed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It belongs to another user, for instance. The record stays, for the next try."""
    immortal = ProcessId.of(os.getpid())
    content = {"stack": [1, "gone"], "services": {"redis": immortal.as_json()}}
    lock_path(tmp_path).write_text(json.dumps(content))
    tried = []

    def killpg(pid: int, number: signal.Signals) -> None:
        tried.append((pid, number))
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(os, "killpg", killpg)
        patched.setattr(time, "sleep", lambda _: None)
        patched.setattr(time, "monotonic", itertools.count(0.0, 0.5).__next__)
        with pytest.raises(LeftoversRemain, match=f"kill -9 {immortal.pid}"):
            StackLock.acquire(tmp_path)

    assert set(tried) == {(immortal.pid, signal.SIGKILL)}
    holder = read_holder(tmp_path)
    assert holder is not None
    assert holder.services == {"redis": immortal}
