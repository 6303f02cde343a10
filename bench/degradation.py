"""Measures what a user hears when a model fails: `python -m bench.degradation --help`.

It starts its own Redis and livekit-server, a worker as LiveKit's starter has one, and two of ours:
one with a single provider, one with another to step in. All three have a call at the same time,
each with a provider of its own. After the greeting a model fails, and the user types a question;
then it works again, and the user types another.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.neighbours import running_neighbours
from bench.progress import Progress
from bench.report import few, parser_of, report
from bench.table import Aim, Row, Table
from bench.troubled_call import GIVEN_UP_S, PATIENCE_S, Heard, Outcome
from bench.troubled_workers import PLAIN, Workers, troubled_workers
from bench.troubles import FAULTS, STAGES, Fault
from devstack.terminal import Terminal

#: "A few seconds": after that people ask whether anybody is there.
_AIM_S = 5.0
_SAID = frozenset({Heard.ANSWER, Heard.APOLOGY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A worker at which a stage fails in one way."""

    stage: str
    fault: Fault
    worker: str

    @property
    def is_ours(self) -> bool:
        """Whether it shall be as good as we say."""
        return self.worker != PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to fail, how, and how often."""

    stages: Sequence[str]
    faults: Sequence[Fault]
    #: So many in a row, in each call.
    questions: int
    rounds: int


Outcomes = Mapping[Case, Sequence[Outcome]]


async def measure(workers: Workers, plan: Plan, progress: Progress) -> Outcomes:
    """Let all workers have the same call at the same time, one fault after the other."""
    outcomes: dict[Case, list[Outcome]] = {}
    for number in range(1, plan.rounds + 1):
        for stage, fault in [(stage, fault) for stage in plan.stages for fault in plan.faults]:
            progress.tell(f"round {number} of {plan.rounds}, {stage} {fault.name}")
            await workers.forget_outages()
            callees = workers.by_name.values()
            calls = (one.call(STAGES[stage], fault, plan.questions) for one in callees)
            results = await asyncio.gather(*calls)
            for worker, outcome in zip(workers.by_name, results, strict=True):
                case = Case(stage=stage, fault=fault, worker=worker)
                outcomes.setdefault(case, []).append(outcome)
    return outcomes


def tables(outcomes: Outcomes, questions: int) -> list[Table]:
    """Return what each fault led to, and what all of them come to."""
    asked = "a question" if questions == 1 else f"{questions} questions in a row"
    by_fault = Table(
        part="degradation",
        question=f"what a user gets who asks {asked} while a model fails",
        subject="model, fault, worker",
        rows=[_row(case, found) for case, found in outcomes.items()],
        notes=(
            "after s: from the (first) question to the first word of what was heard; the median",
            "again: once the model worked again, the next question was answered",
            f"waited for {PATIENCE_S:g} s, or until the agent had said for {GIVEN_UP_S:g} s that "
            "it listens, without a sound",
            "all three have the same call at the same time; no call knows of an outage before",
        ),
    )
    return [by_fault, _sums(outcomes)]


def _row(case: Case, found: Sequence[Outcome]) -> Row:
    heard = Counter(str(one.heard) for one in found)
    after_s = [one.after_s for one in found if one.after_s is not None]
    return Row(
        name=f"{case.stage} {case.fault.name}: {case.worker}",
        figures={
            "after s": round(statistics.median(after_s), 1) if after_s else None,
            "heard": ", ".join(f"{what} {times}" for what, times in heard.items())
            if len(heard) > 1
            else next(iter(heard)),
            "goes on": _share(one.goes_on for one in found),
            "again": _share(one.answered_again for one in found),
        },
        aim=Aim(limit=_AIM_S) if case.is_ours else None,
    )


def _sums(outcomes: Outcomes) -> Table:
    """Count what must never happen."""
    ours = [one for case, found in outcomes.items() if case.is_ours for one in found]
    plain = [one for case, found in outcomes.items() if not case.is_ours for one in found]
    tests: dict[str, Callable[[Outcome], bool]] = {
        "neither an answer nor an apology": lambda one: one.heard not in _SAID,
        "the call was lost": lambda one: not one.goes_on,
        "not answered when it worked again": lambda one: not one.answered_again,
    }
    rows = [
        Row(
            name=name,
            figures={"ours": sum(map(test, ours)), "plain": sum(map(test, plain))},
            aim=Aim(limit=0),
        )
        for name, test in tests.items()
    ]
    return Table(
        part="in all",
        question=f"of {len(ours)} calls of ours, and {len(plain)} of the plain one",
        subject="so often",
        rows=rows,
    )


def _share(facts: Iterable[bool]) -> str:
    known = list(facts)
    return f"{sum(known)} of {len(known)}"


async def _run(plan: Plan, env: Mapping[str, str]) -> list[Table]:
    progress = Progress("degradation", Terminal(env, sys.stderr))
    with tempfile.TemporaryDirectory(prefix="bench-degradation-") as folder:
        async with (
            running_neighbours(env, Path(folder)) as neighbours,
            troubled_workers(neighbours, Path(folder)) as workers,
        ):
            outcomes = await measure(workers, plan, progress)
    progress.done()
    return tables(outcomes, plan.questions)


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("degradation", __doc__)
    parser.add_argument("--rounds", type=few, default=3, metavar="N", help="of all faults (3)")
    parser.add_argument(
        "--questions", type=few, default=1, metavar="N", help="that fail in each call (1)"
    )
    parser.add_argument(
        "--stages", type=_stages, default=("llm",), metavar="MODEL,…", help="llm, tts (llm)"
    )
    names = ",".join(fault.name for fault in FAULTS)
    parser.add_argument(
        "--faults", type=_faults, default=FAULTS, metavar="FAULT,…", help=f"({names})"
    )
    return parser


def _stages(text: str) -> tuple[str, ...]:
    return _chosen(text, tuple(STAGES))


def _faults(text: str) -> tuple[Fault, ...]:
    by_name = {fault.name: fault for fault in FAULTS}
    return tuple(by_name[name] for name in _chosen(text, tuple(by_name)))


def _chosen(text: str, known: Sequence[str]) -> tuple[str, ...]:
    wanted = text.split(",")
    if unknown := sorted(set(wanted) - set(known)):
        raise argparse.ArgumentTypeError(f"not known: {', '.join(unknown)}")
    return tuple(name for name in known if name in wanted)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0 when it ran through, whatever it found."""
    options = _parser().parse_args(argv)
    plan = Plan(
        stages=options.stages,
        faults=options.faults,
        questions=options.questions,
        rounds=options.rounds,
    )
    return report(partial(_run, plan), options.json)


if __name__ == "__main__":
    sys.exit(main())
