"""The memory of a process is counted closely only where a limit may be near."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any, cast

import psutil  # type: ignore[import-untyped]
import pytest
from livekit.agents.ipc.supervised_proc import SupervisedProc

from worker.host.memory import look_no_closer_than_needed, sample_mb


class Supervised:
    """What is looked at of a process of the framework; it is this one."""

    def __init__(self, *, warn_mb: float, limit_mb: float, pid: int | None = None) -> None:
        self._opts = SimpleNamespace(memory_warn_mb=warn_mb, memory_limit_mb=limit_mb)
        self._pid = os.getpid() if pid is None else pid
        self._psutil_process = None
        self._memory_baseline_mb: float | None = 7.0


def sample(process: Supervised) -> tuple[float, str]:
    return sample_mb(cast("SupervisedProc", process))


def test_what_is_looked_at_is_there() -> None:
    """Its attributes are those of the framework, which sets them when it makes a process."""
    source = SupervisedProc.__init__.__code__
    assert {"_opts", "_pid", "_psutil_process", "_memory_baseline_mb"} <= {*source.co_names}


@pytest.mark.parametrize(("warn_mb", "limit_mb"), [(0, 0), (100_000, 0), (0, 100_000)])
def test_far_from_the_limits_the_kernel_is_not_made_to_count(warn_mb: int, limit_mb: int) -> None:
    process = Supervised(warn_mb=warn_mb, limit_mb=limit_mb)
    used_mb, measure = sample(process)
    assert measure == "rss"
    assert used_mb == pytest.approx(psutil.Process().memory_info().rss / 2**20, rel=0.5)
    assert process._psutil_process is None
    assert process._memory_baseline_mb == 7.0


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="needs Linux")
@pytest.mark.parametrize(("warn_mb", "limit_mb"), [(1, 0), (100_000, 1)])
def test_near_one_it_counts_by_share_and_begins_anew(warn_mb: int, limit_mb: int) -> None:
    process = Supervised(warn_mb=warn_mb, limit_mb=limit_mb)
    used_mb, measure = sample(process)
    assert measure == "pss"
    assert 1 < used_mb <= psutil.Process().memory_info().rss / 2**20 * 1.5
    assert process._memory_baseline_mb is None
    process._memory_baseline_mb = 5.0
    sample(process)
    assert process._memory_baseline_mb == 5.0


def test_a_process_that_is_gone_is_told_as_before() -> None:
    with pytest.raises(psutil.NoSuchProcess):
        sample(Supervised(warn_mb=0, limit_mb=0, pid=2**22 + 1))


def test_all_processes_are_looked_at_so(monkeypatch: pytest.MonkeyPatch) -> None:
    method: Any = SupervisedProc._sample_memory_mb
    monkeypatch.setattr(SupervisedProc, "_sample_memory_mb", method)
    look_no_closer_than_needed()
    assert SupervisedProc._sample_memory_mb is sample_mb
