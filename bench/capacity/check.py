"""Tables of the check: what was measured, and how far off the formula is that one node fed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from bench.capacity.fit import LIVEKIT, REDIS, WORKER, Program
from bench.capacity.measure import Look, Run
from bench.capacity.model import Coefficients, Cost, Load, cores, memory_mb
from bench.race.figures import percentile
from bench.table import Aim, Row, Table, Value

_OFF_PERCENT = 25.0
#: Less than this is told in ticks of the clock by which the kernel counts.
_SMALLEST_CORES = 0.03
_PROGRAMS = ("workers", WORKER), ("livekit", LIVEKIT), ("redis", REDIS)


def measured_table(runs: Sequence[Run]) -> Table:
    """Return what each fleet took at each step."""
    rows = [_measured(run, one) for run in runs for one in run.looks]
    return Table(
        part="fleet",
        question=f"what workers and nodes take together on {os.cpu_count()} cores",
        subject="nodes, sessions",
        rows=rows,
        notes=(
            "cores in thousandths, of all workers and of all nodes; beside them each worker, each "
            "node; calls: of the store's script in Redis",
            "kbit/s: media through the nodes, one way, with 38 bytes of headers for each packet, "
            "as LiveKit counts them",
            "the users themselves, on the same machine, are in no figure",
        ),
    )


def _measured(run: Run, one: Look) -> Row:
    state = one.state
    return Row(
        name=f"{run.nodes}, {_who(one)}",
        figures={
            "workers": _milli(sum(one.workers_cores)),
            "each": _pair([_milli(part) for part in one.workers_cores]),
            "livekit": _milli(sum(one.nodes_cores)),
            "each node": _pair([_milli(part) for part in one.nodes_cores]),
            "redis": _milli(one.redis_cores, digits=1),
            "calls/s": round(one.redis_calls_per_s, 1),
            "kbit/s": round(one.media_kbits),
            "workers MB": round(one.workers_mb),
            "nodes MB": round(one.nodes_mb),
            "redis MB": round(state.redis_mb, 1),
            "clients": state.redis_clients,
            "by worker": _pair(state.by_worker),
            "by node": _pair(state.by_node),
        },
    )


def starts_table(runs: Sequence[Run]) -> Table:
    """Return how the users were served."""
    return Table(
        part="served",
        question="whether all were served, and how soon",
        subject="nodes",
        rows=[
            Row(
                name=str(run.nodes),
                figures={
                    "without": run.asked - run.served,
                    "users": run.asked,
                    "start p50 s": _percentile(run, 50),
                    "start p95 s": _percentile(run, 95),
                    "answers": run.answered,
                    "no answer": run.unanswered,
                },
                aim=Aim(limit=0),
            )
            for run in runs
        ],
        notes=(
            "start: from asking for the room to being subscribed to the agent's track; of two "
            "nodes, half of the users join by the one that was not asked for the room",
            "answers: to those who talked",
        ),
    )


def _percentile(run: Run, percent: int) -> float | None:
    return percentile(run.starts_s, percent, len(run.starts_s)) if run.starts_s else None


def check_table(runs: Sequence[Run], known: Coefficients) -> Table:
    """Return how far off the formula is for each step that did not feed it, and for those."""
    return Table(
        part="check",
        question="what the formula says, fed with one node, and what was measured",
        subject="nodes, sessions: what",
        rows=[row for run in runs for row in _checks(run, known)],
        notes=(
            "thousandths of a core, MB (workers PSS, nodes RSS), CPU s; what is less than "
            f"{1000 * _SMALLEST_CORES:.0f} thousandths is not judged",
            "coming and going: all CPU while users came, and while they left, one after the other",
            "a node without sessions, the most silent ones of one node, and those who talked there "
            "fed it: these lines fit by themselves",
        ),
    )


def _checks(run: Run, known: Coefficients) -> Iterator[Row]:
    for one in run.looks:
        load = load_of(one)
        for name, program, cost in _parts(known):
            said, was = cores(cost, load, _count(name, run)), program.cores(one)
            is_judged = said >= _SMALLEST_CORES
            yield _check(run, f"{_who(one)}: {name}", 1000 * said, 1000 * was, is_judged)
            if name != "redis":
                mb = memory_mb(cost, load, run.nodes)
                yield _check(run, f"{_who(one)}: {name} MB", mb, program.mb(one), True)
    spells = [*run.coming, *([run.leaving] if run.leaving else [])]
    for name, program, cost in _parts(known):
        said = sum(
            _count(name, run) * cost.base_cores * one.lasted_s + cost.silent_cores * one.held_s
            for one in spells
        )
        said += cost.call_cpu_s * sum(one.users for one in run.coming)
        was = sum(program.cpu_s(one) for one in spells)
        yield _check(run, f"coming and going: {name} CPU s", said, was, name != "redis")


def _parts(known: Coefficients) -> Iterator[tuple[str, Program, Cost]]:
    costs = known.worker, known.livekit, known.redis
    for (name, program), cost in zip(_PROGRAMS, costs, strict=True):
        yield name, program, cost


def _count(name: str, run: Run) -> int:
    return 1 if name == "redis" else run.nodes


def _check(run: Run, name: str, said: float, was: float, is_judged: bool) -> Row:
    return Row(
        name=f"{run.nodes}, {name}",
        figures={
            "formula": round(said, 1),
            "measured": round(was, 1),
            "off %": round(100 * abs(said - was) / was) if was else None,
        },
        aim=Aim(limit=_OFF_PERCENT) if is_judged else None,
        judged="off %",
    )


def load_of(one: Look) -> Load:
    """Return what a look looked at, as the formula takes it: nobody came or went."""
    count = one.sessions or 1
    return Load(sessions=one.sessions, talking=one.talking / count, silent=one.silent / count)


def fed_table(found: Coefficients, known: Coefficients) -> Table:
    """Return what one node fed the formula with, beside what it has by itself."""
    rows = []
    pairs = (
        ("worker", found.worker, known.worker),
        ("livekit", found.livekit, known.livekit),
        ("redis", found.redis, known.redis),
    )
    for name, now, own in pairs:
        figures: dict[str, tuple[float, float]] = {
            "silent, thousandths of a core": (1000 * now.silent_cores, 1000 * own.silent_cores),
            "quiet, thousandths of a core": (1000 * now.quiet_cores, 1000 * own.quiet_cores),
            "talking, thousandths of a core": (1000 * now.talking_cores, 1000 * own.talking_cores),
            "start and end, CPU ms": (1000 * now.call_cpu_s, 1000 * own.call_cpu_s),
            "a session, MB": (now.session_mb, own.session_mb),
            "without any, thousandths of a core": (1000 * now.base_cores, 1000 * own.base_cores),
            "without any, MB": (now.base_mb, own.base_mb),
        }
        rows += [_fed(f"{name}: {what}", *pair) for what, pair in figures.items()]
    rows.append(_fed("media: silent, kbit/s", found.silent_kbits, known.silent_kbits))
    rows.append(_fed("media: quiet, kbit/s", found.quiet_kbits, known.quiet_kbits))
    rows.append(_fed("media: talking, kbit/s", found.talking_kbits, known.talking_kbits))
    return Table(
        part="coefficients",
        question="what goes into the formula",
        subject="of one session",
        rows=rows,
        notes=("here: this run, one node; model: bench/capacity/model.py has it by itself",),
    )


def _fed(name: str, now: float, own: float) -> Row:
    return Row(name=name, figures={"here": round(now, 2), "model": round(own, 2)})


def _who(one: Look) -> str:
    more = "".join(
        f" + {count} {kind}"
        for kind, count in (("quiet", one.quiet), ("talking", one.talking))
        if count
    )
    return f"{one.silent} silent{more}"


def _milli(value: float, digits: int = 0) -> float:
    return round(1000 * value, digits or None)


def _pair(values: Sequence[Value]) -> str:
    return " ".join("-" if value is None else f"{value:g}" for value in values if value != "")
