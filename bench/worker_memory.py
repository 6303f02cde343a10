"""Measures whether a worker grows: `python -m bench.worker_memory --help`.

It starts its own Redis, livekit-server, provider and worker, and holds short calls, a few at a
time. Each call has a process of its own, which ends with it; what could grow is the worker and the
server that its job processes are forked from. Between the batches everything is idle.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from bench.progress import Progress
from bench.report import parser_of, report
from bench.table import Aim, Row, Table
from bench.worker_calls import WorkerUnderTest, running_worker, until
from devstack.terminal import Terminal

_EVERY = 20
_AT_ONCE = 3
#: Caches fill and allocators settle meanwhile.
_WARM_UP = 40
_AIM_KB = Aim(limit=10)
_KB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a worker takes while it is idle. Memory in kB."""

    sessions: int
    #: What is no file: heaps and stacks, whether other processes share the pages or not.
    worker: float
    forkserver: float
    #: Of the worker and all its processes: what shared pages take is counted once.
    all_pss: float
    processes: int
    open_files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Growth by session, in kB, and the standard error of that."""

    slope: float
    noise: float


async def hold_calls(worker: WorkerUnderTest, sessions: int, progress: Progress) -> list[Sample]:
    """Hold so many calls and look at the worker before them and after each batch."""
    samples = [await _look(worker, 0)]
    for done in range(0, sessions, _EVERY):
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(turns: asyncio.Semaphore = turns) -> None:
            async with turns:
                await worker.call()

        await asyncio.gather(*(one() for _ in range(_EVERY)))
        samples.append(await _look(worker, done + _EVERY))
        last = samples[-1]
        progress.tell(
            f"{last.sessions} of {sessions} sessions; worker {last.worker:,.0f} kB, "
            f"forkserver {last.forkserver:,.0f} kB, all {last.all_pss:,.0f} kB PSS, "
            f"{last.processes} processes, {last.open_files} files"
        )
    return samples


async def _look(worker: WorkerUnderTest, sessions: int) -> Sample:
    """Wait until only the warm processes are left, then measure."""
    process = psutil.Process(worker.pid)
    expected, steady_since = -1, time.monotonic()

    async def is_steady() -> bool:
        nonlocal expected, steady_since
        number = len(process.children(recursive=True))
        if number != expected:
            expected, steady_since = number, time.monotonic()
        return time.monotonic() - steady_since > 3

    await until(is_steady)
    own = process.memory_full_info()
    others = [child.memory_full_info().pss for child in process.children(recursive=True)]
    return Sample(
        sessions=sessions,
        worker=_anonymous_kb(process.pid),
        forkserver=_anonymous_kb(_forkserver(process).pid),
        all_pss=sum((own.pss, *others)) / _KB,
        processes=1 + expected,
        open_files=process.num_fds(),
    )


def _forkserver(worker: psutil.Process) -> psutil.Process:
    """Return the process that has the others as its children."""
    return max(worker.children(), key=lambda child: len(child.children()))


def _anonymous_kb(pid: int) -> int:
    """Return the anonymous memory of a process, as Linux counts it (proc(5), `smaps_rollup`).

    What would come free if it ended (USS) would not do: job processes are forked, in the end, from
    the worker, so that its pages change sides as processes come and go. Raises OSError.
    """
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    (line,) = [line for line in rollup.splitlines() if line.startswith("Anonymous:")]
    return int(line.split()[1])


def trend(samples: Sequence[Sample], name: str) -> Trend:
    """Fit a line through a figure, after the first sessions."""
    late = [one for one in samples if one.sessions >= _WARM_UP] or list(samples)
    at = [float(one.sessions) for one in late]
    values = [float(getattr(one, name)) for one in late]
    if len(late) < 3:
        return Trend(slope=(values[-1] - values[0]) / max(at[-1] - at[0], 1), noise=0.0)
    slope, base = statistics.linear_regression(at, values)
    residuals = [value - (base + slope * x) for x, value in zip(at, values, strict=True)]
    spread = sum((x - statistics.fmean(at)) ** 2 for x in at)
    error = (sum(one**2 for one in residuals) / (len(late) - 2) / spread) ** 0.5
    return Trend(slope=slope, noise=2 * error)


def tables(samples: Sequence[Sample]) -> list[Table]:
    """Return the figures over time, and what they come to."""
    over_time = Table(
        part="worker memory",
        question="what an idle worker takes after so many sessions (kB)",
        subject="sessions",
        rows=[
            Row(
                name=str(one.sessions),
                figures={
                    "worker": round(one.worker),
                    "forkserver": round(one.forkserver),
                    "all PSS": round(one.all_pss),
                    "processes": one.processes,
                    "open files": one.open_files,
                },
            )
            for one in samples
        ],
        notes=(
            "worker, forkserver: anonymous memory, shared pages included; PSS: of all processes, "
            "with what they share counted once",
        ),
    )
    return [over_time, _growth(samples)]


def _growth(samples: Sequence[Sample]) -> Table:
    names = ("worker", "forkserver", "open_files")
    growth = {name: trend(samples, name) for name in names}
    rows = [
        Row(
            name=name.replace("_", " "),
            figures={"by session": round(one.slope, 3), "noise (2 s.e.)": round(one.noise, 3)},
            aim=Aim(limit=0.05) if name == "open_files" else _AIM_KB,
        )
        for name, one in growth.items()
    ]
    return Table(
        part="growth",
        question=f"by session, after the first {_WARM_UP} (kB, and files)",
        subject="of",
        rows=rows,
    )


async def _run(sessions: int, env: Mapping[str, str]) -> list[Table]:
    progress = Progress("worker memory", Terminal(env, sys.stderr))
    with tempfile.TemporaryDirectory(prefix="voicefleet-bench-") as folder:
        async with running_worker(env, Path(folder), pool_size=_AT_ONCE) as worker:
            samples = await hold_calls(worker, sessions, progress)
    progress.done()
    return tables(samples)


def _count(text: str) -> int:
    if not text.isdecimal() or not _EVERY <= int(text) <= 10_000 or int(text) % _EVERY:
        raise argparse.ArgumentTypeError(f"{text} is no multiple of {_EVERY} up to 10,000")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0 when it ran through, whatever it found."""
    parser = parser_of("worker_memory", __doc__)
    parser.add_argument("--sessions", type=_count, default=200, metavar="N", help="calls (200)")
    options = parser.parse_args(argv)
    return report(partial(_run, options.sessions), options.json)


if __name__ == "__main__":
    sys.exit(main())
