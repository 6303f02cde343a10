"""Measures how soon a worker has warm processes, and at what cost: `python -m bench.warm --help`.

It starts its own Redis and livekit-server, and workers one after the other, in turns: a plain one
as LiveKit's starter has it, ours, and ours without what worker/host/forkserver.py does. Each keeps
three warm processes.
"""

from __future__ import annotations

import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from bench.neighbours import Neighbours, running_neighbours
from bench.progress import Progress
from bench.provider import running_provider
from bench.report import few, parser_of, report
from bench.table import Row, Table
from bench.workers import OURS, WARM, until_logged, working
from devstack.terminal import Terminal

_WARM = 3
_MB = 1024 * 1024
_KINDS = {
    "plain": ("bench.plain_agent", "start"),
    "ours": OURS,
    "ours, Python's forkserver": ("bench.unforked_worker",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start of a worker. `cpu_s` and `pss_mb` are those of all its processes."""

    warm_after_s: float
    cpu_s: float
    pss_mb: float


async def measure(
    neighbours: Neighbours, rounds: int, *, provider_url: str, folder: Path, progress: Progress
) -> dict[str, list[Start]]:
    """Start each kind of worker so many times, in turns."""
    starts: dict[str, list[Start]] = {kind: [] for kind in _KINDS}
    for number in range(rounds):
        for kind in _KINDS:
            progress.tell(f"round {number + 1} of {rounds}, {kind}")
            one = await _start(neighbours, kind, provider_url=provider_url, folder=folder)
            starts[kind].append(one)
    return starts


async def _start(neighbours: Neighbours, kind: str, *, provider_url: str, folder: Path) -> Start:
    name = f"warm-{secrets.token_hex(4)}"
    log = folder / f"{name}.log"
    # What ours lets a model say beforehand is there from the first of its starts on.
    own = {"POOL_SIZE": str(_WARM), "GREETING_CACHE_DIR": str(folder), "ISOLATION": "process"}
    variables = {**neighbours.variables, **own, "OPENAI_BASE_URL": provider_url}
    variables |= dict.fromkeys(("STT_BASE_URL", "LLM_BASE_URL", "TTS_BASE_URL"), provider_url)
    began = time.monotonic()
    async with working(_KINDS[kind], variables, agent_name=name, log=log):
        await until_logged(log, WARM, _WARM)
        warm_after_s = time.monotonic() - began
        processes = [one for one in psutil.Process().children(recursive=True) if _is_of(one, name)]
        times = [one.cpu_times() for one in processes]
        return Start(
            warm_after_s=warm_after_s,
            cpu_s=sum(one.user + one.system for one in times),
            pss_mb=sum(one.memory_full_info().pss for one in processes) / _MB,
        )


def _is_of(process: psutil.Process, agent_name: str) -> bool:
    """Say whether a process is one of the worker's, which all have its environment."""
    return bool(process.environ().get("AGENT_NAME") == agent_name)


def table(starts: Mapping[str, Sequence[Start]]) -> Table:
    """Return the medians, and how ours compare with the plain ones."""
    plain = _median(starts["plain"], "warm_after_s")
    rows = []
    for kind, found in starts.items():
        seconds = _median(found, "warm_after_s")
        figures = {
            "warm after s": round(seconds, 2),
            "of plain": round(seconds / plain, 2),
            "CPU s": round(_median(found, "cpu_s"), 2),
            "PSS MB": round(_median(found, "pss_mb")),
        }
        rows.append(Row(name=kind, figures=figures))
    return Table(
        part="warm",
        question=f"how soon a worker has {_WARM} warm processes, and what they take",
        subject="worker",
        rows=rows,
        notes=(
            f"medians of {len(starts['plain'])}, in turns; CPU and memory: of all its processes",
            "ours builds more beforehand: clients, models, what a first call would import",
        ),
    )


def _median(starts: Sequence[Start], name: str) -> float:
    return statistics.median(float(getattr(one, name)) for one in starts)


async def _run(rounds: int, env: Mapping[str, str]) -> list[Table]:
    with tempfile.TemporaryDirectory(prefix="bench-warm-") as folder:
        async with (
            running_neighbours(env, Path(folder)) as neighbours,
            running_provider() as provider_url,
        ):
            progress = Progress("warm", Terminal(env, sys.stderr))
            starts = await measure(
                neighbours,
                rounds,
                provider_url=provider_url,
                folder=Path(folder),
                progress=progress,
            )
            progress.done()
    return [table(starts)]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0 when it ran through, whatever it found."""
    parser = parser_of("warm", __doc__)
    parser.add_argument("--rounds", type=few, default=5, metavar="N", help="of all workers (5)")
    options = parser.parse_args(argv)
    return report(partial(_run, options.rounds), options.json)


if __name__ == "__main__":
    sys.exit(main())
