"""Tables of a size: machines for so many sessions, and what breaks on the way there."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.capacity.limits import limits, redis_s, sessions_of_fleet
from bench.capacity.model import (
    SHARED,
    Coefficients,
    Cost,
    Load,
    Machine,
    cores,
    machines,
    memory_mb,
    session_kbits,
    sessions_on,
)
from bench.table import Row, Table

_MB_PER_GB = 1024


def sizing_tables(load: Load, machine: Machine, known: Coefficients = SHARED) -> list[Table]:
    """Return what the formula says. Raises ValueError where a machine holds no session."""
    return [_machines(load, machine, known), _limits(load, machine, known)]


def _machines(load: Load, machine: Machine, known: Coefficients) -> Table:
    kbits = session_kbits(known, load)
    mbits = load.sessions * kbits / 1000
    rows = [
        _spread("workers", known.worker, load, machine, mbits=mbits),
        _spread("livekit", known.livekit, load, machine, mbits=mbits, kbits=kbits),
        _fleets(load, machine, known),
        Row(
            name="token servers",
            figures={
                "machines": None,
                "sessions each": None,
                "cores": round(load.starts_per_s * known.tokenserver_start_cpu_s, 2),
            },
        ),
    ]
    return Table(
        part="size",
        question=f"{load.sessions:,.0f} sessions of {load.minutes_per_call:g} minutes, "
        f"{load.starts_per_s:,.1f} starts a second, {load.talking:.0%} talking",
        subject="of",
        rows=rows,
        notes=(
            f"machines of {machine.cores} cores and {machine.memory_mb / _MB_PER_GB:g} GB, filled "
            f"to {machine.fill:.0%}, one worker or node on each; one more of each for when one "
            "is lost",
            f"of the others {load.silent:.0%} have no microphone, {load.quiet:.0%} an open one "
            "while nobody speaks; workers with ISOLATION=shared",
            "Mbit/s: media in all, in and as much out",
            "redis: with AFFINITY=false, and with limits of starts, sessions and clients raised",
            "models (STT, LLM, TTS) are not in it",
        ),
    )


def _fleets(load: Load, machine: Machine, known: Coefficients) -> Row:
    fleet = sessions_of_fleet(load, machine)
    return Row(
        name="fleets: Redis, leader",
        figures={
            "machines": machines(load, fleet),
            "sessions each": fleet,
            "cores": round(load.sessions * redis_s(load), 2),
            "GB": round(memory_mb(known.redis, load) / _MB_PER_GB, 2),
        },
    )


def _spread(
    name: str,
    cost: Cost,
    load: Load,
    machine: Machine,
    *,
    mbits: float,
    kbits: float = 0.0,
) -> Row:
    each = sessions_on(machine, cost, load, kbits)
    count = machines(load, each)
    return Row(
        name=name,
        figures={
            "machines": count,
            "sessions each": each,
            "cores": round(cores(cost, load, count), 1),
            "GB": round(memory_mb(cost, load, count) / _MB_PER_GB, 1),
            "Mbit/s": round(mbits),
        },
    )


def _limits(load: Load, machine: Machine, known: Coefficients) -> Table:
    found: Sequence[Row] = [
        Row(
            name=one.name,
            figures={
                "sessions": math.floor(one.sessions),
                "is enough": "yes" if one.sessions >= load.sessions else "NO",
                "then": one.remedy,
            },
        )
        for one in limits(load, machine, known)
    ]
    return Table(
        part="limits",
        question="what there is once, and at how many such sessions it is full",
        subject="what",
        rows=found,
        notes=("computed from small measurements; none of it was reached",),
    )
