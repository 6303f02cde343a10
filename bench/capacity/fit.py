"""From what one worker and one node took: what goes into the formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.capacity.measure import Look, Run, Spell
from bench.capacity.model import SHARED, Coefficients, Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How to read what one kind of program took."""

    cores: Callable[[Look], float]
    cpu_s: Callable[[Spell], float]
    mb: Callable[[Look], float]


WORKER = Program(
    cores=lambda one: sum(one.workers_cores),
    cpu_s=lambda one: one.workers_s,
    mb=lambda one: one.workers_mb,
)
LIVEKIT = Program(
    cores=lambda one: sum(one.nodes_cores),
    cpu_s=lambda one: one.nodes_s,
    mb=lambda one: one.nodes_mb,
)
REDIS = Program(
    cores=lambda one: one.redis_cores,
    cpu_s=lambda one: one.redis_s,
    mb=lambda one: one.state.redis_mb,
)


def fitted(run: Run, known: Coefficients = SHARED) -> Coefficients:
    """Return what a run says; what was known before where it says nothing.

    Raises ValueError where nobody was served.
    """
    idle, full = run.looks[0], _fullest(run)
    each = _each(run, lambda one: one.media_kbits)
    silent = (full.media_kbits - idle.media_kbits) / full.silent
    return replace(
        known,
        worker=cost(run, WORKER, known.worker),
        livekit=cost(run, LIVEKIT, known.livekit),
        redis=cost(run, REDIS, known.redis),
        silent_kbits=silent,
        quiet_kbits=each("quiet", known.quiet_kbits),
        talking_kbits=each("talking", known.talking_kbits),
    )


def cost(run: Run, program: Program, known: Cost) -> Cost:
    """Return what a session takes of a program."""
    idle, full = run.looks[0], _fullest(run)
    silent = (program.cores(full) - program.cores(idle)) / full.silent
    each = _each(run, program.cores)
    start_s = [spent(program, one, idle, silent) / one.users for one in run.coming if one.users]
    leaving = run.leaving
    end_s = spent(program, leaving, idle, silent) / leaving.users if leaving else 0.0
    return Cost(
        silent_cores=silent,
        quiet_cores=each("quiet", known.quiet_cores),
        talking_cores=each("talking", known.talking_cores),
        call_cpu_s=sum(start_s) / len(start_s) + end_s,
        session_mb=(program.mb(full) - program.mb(idle)) / full.silent,
        base_cores=program.cores(idle),
        base_mb=program.mb(idle),
    )


def spent(program: Program, spell: Spell, idle: Look, silent_cores: float) -> float:
    """Return the CPU seconds of a spell beyond what sessions take that are just there."""
    there = program.cores(idle) * spell.lasted_s + silent_cores * spell.held_s
    return program.cpu_s(spell) - there


def _fullest(run: Run) -> Look:
    """Return the look at the most who are silent, and nobody else. Raises ValueError."""
    alone = [one for one in run.looks if one.silent and one.silent == one.sessions]
    if not alone:
        raise ValueError("nobody was served: there is nothing to learn from it")
    return max(alone, key=lambda one: one.silent)


def _each(run: Run, part: Callable[[Look], float]) -> Callable[[str, float], float]:
    """Return what tells the figure of one session of a kind that came on top."""

    def each(kind: str, otherwise: float) -> float:
        for one in run.looks:
            count = one.talking if kind == "talking" else one.quiet
            base = run.look(silent=one.silent)
            if count and base is not None:
                return (part(one) - part(base)) / count
        return otherwise

    return each
