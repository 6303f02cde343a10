"""Measures how soon a start has an agent: `python -m bench.assignment --help`.

The design before this one ran a Celery task for each call, which started one agent process, with a
pool of warmed-up ones. What it promised is measured here on the whole stack, as its users see it:
the benchmark starts Redis, livekit-server, a token server that supervises, a scripted provider and
one worker, with either kind of isolation in turn. Users ask for a session over HTTP, join over
WebRTC, and listen.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.assignment_stage import PATIENCE_S, Call, Stage, running_stage
from bench.assignment_table import KINDS, PARTS, Found, Sizes, table
from bench.progress import Progress
from bench.report import few, parser_of, report, some_of
from bench.table import Table
from devstack.terminal import Terminal
from worker.job.native import keep_native_log

#: A start a second is more than one worker on two cores can serve with users on the same cores.
_ARRIVALS_PER_S = 0.5
_STAYS_S = (8.0, 12.0)
#: So long all that came at once stay, so that nobody has the machine to himself.
_TOGETHER_S = 5.0
_SEED = 7


@dataclass(slots=True, kw_only=True)
class Trial:
    """One kind of worker, and what is found of it."""

    stage: Stage
    isolation: str
    sizes: Sizes
    progress: Progress
    found: Found = field(default_factory=Found)

    def tell(self, note: str) -> None:
        """Show what is being done."""
        self.progress.tell(f"{self.isolation}: {note}")

    async def run(self, parts: Sequence[str]) -> Found:
        """Measure these parts; those of a warm worker share one."""
        if warm := [_WARM[part] for part in PARTS if part in parts and part in _WARM]:
            self.tell("worker starts")
            async with self.stage.worker(self.isolation) as url:
                await self.stage.until_rested(url)
                # The first call of a worker is unlike all others: it imports what nobody needed.
                await self.stage.call()
                for measure in warm:
                    await self.stage.until_rested(url)
                    await measure(self, url)
        if "cold" in parts:
            await self.cold()
        return self.found

    async def warm(self, url: str) -> None:
        """Users come one after the other, each to a worker at rest."""
        for number in range(self.sizes.calls):
            self.tell(f"one after the other, {number + 1} of {self.sizes.calls}")
            await self.stage.until_rested(url)
            self.found.warm.append(await self.stage.call())

    async def arrivals(self, _: str) -> None:
        """Users come at random, and stay a while. Each time the same way."""
        dice, at_s, calls = random.Random(_SEED), 0.0, list[Awaitable[Call]]()  # noqa: S311
        for _number in range(self.sizes.users):
            at_s += dice.expovariate(_ARRIVALS_PER_S)
            calls.append(self._come_at(time.monotonic() + at_s, dice.uniform(*_STAYS_S)))
        self.tell(f"{self.sizes.users} users at random, over {at_s:.0f} s")
        self.found.arrivals.extend(await asyncio.gather(*calls))

    async def _come_at(self, moment: float, stays_s: float) -> Call:
        await asyncio.sleep(max(0.0, moment - time.monotonic()))
        return await self.stage.call(stays_s=stays_s)

    async def burst(self, url: str) -> None:
        """Users come at the same moment."""
        for number in range(self.sizes.rounds):
            self.tell(f"{self.sizes.together} at once, {number + 1} of {self.sizes.rounds}")
            await self.stage.until_rested(url)
            calls = (self.stage.call(stays_s=_TOGETHER_S) for _ in range(self.sizes.together))
            self.found.bursts.append(await asyncio.gather(*calls))

    async def throughput(self, _: str) -> None:
        """Users come one after the other, and leave at the first word; nothing is waited for."""
        self.tell(f"as fast as they are served, {self.sizes.seconds} s")
        began = time.monotonic()
        while time.monotonic() < began + self.sizes.seconds:
            self.found.quick.append(await self.stage.call())
        self.found.quick_took_s = time.monotonic() - began

    async def cold(self) -> None:
        """A user comes in the moment in which LiveKit gets to know a worker without a pool."""
        for number in range(self.sizes.rounds):
            self.tell(f"cold, {number + 1} of {self.sizes.rounds}")
            clips = tempfile.mkdtemp(dir=self.stage.folder)
            settings = {"POOL_SIZE": "0", "GREETING_CACHE_DIR": clips}
            async with self.stage.worker(self.isolation, **settings):
                self.found.cold.append(await self.stage.call())


_WARM: Mapping[str, Callable[[Trial, str], Awaitable[None]]] = {
    "warm": Trial.warm,
    "arrivals": Trial.arrivals,
    "burst": Trial.burst,
    "throughput": Trial.throughput,
}


async def _run(
    parts: Sequence[str], kinds: Sequence[str], sizes: Sizes, env: Mapping[str, str]
) -> list[Table]:
    # The users are in this process: without it they would pay for the library's log. `env`, which
    # the servers get, was read before.
    keep_native_log("off")
    terminal = Terminal(env, sys.stderr)
    progress, found = Progress("assignment", terminal), {}
    for isolation in kinds:
        with tempfile.TemporaryDirectory(prefix="bench-assignment-") as folder:
            async with running_stage(env, Path(folder)) as stage:
                trial = Trial(stage=stage, isolation=isolation, sizes=sizes, progress=progress)
                found[isolation] = await trial.run(parts)
    progress.done()
    for isolation, one in found.items():
        for problem in one.problems:
            terminal.warning(f"{isolation}: {problem}")
    return [table(found, sizes, patience_s=PATIENCE_S)]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0 when it ran through, whatever it found."""
    parser = parser_of("assignment", __doc__)
    parser.add_argument(
        "--only",
        dest="parts",
        type=partial(some_of, PARTS),
        default=list(PARTS),
        metavar="A,B",
        help=f"some of {', '.join(PARTS)} (all)",
    )
    parser.add_argument(
        "--isolation",
        dest="kinds",
        type=partial(some_of, KINDS),
        default=list(KINDS),
        metavar="A,B",
        help=f"some of {', '.join(KINDS)} (both)",
    )
    usual = Sizes()
    for name, text in {
        "calls": "of warm",
        "users": "of arrivals",
        "together": "users of a burst",
        "rounds": "of burst and cold",
        "seconds": "of throughput",
    }.items():
        default = getattr(usual, name)
        shown = f"{text} ({default})"
        parser.add_argument(f"--{name}", type=few, default=default, metavar="N", help=shown)
    options = vars(parser.parse_args(argv))
    parts, kinds, file = (options.pop(name) for name in ("parts", "kinds", "json"))
    return report(partial(_run, parts, kinds, Sizes(**options)), file)


if __name__ == "__main__":
    sys.exit(main())
