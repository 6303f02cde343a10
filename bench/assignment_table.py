"""What the benchmark of assignments found, as a table."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.assignment_stage import Call
from bench.race.figures import percentile
from bench.table import Aim, Row, Table, Value

PARTS = ("warm", "arrivals", "burst", "cold", "throughput")
KINDS = ("process", "shared")
_ASSIGNED = Aim(limit=500)
_SOON_S = 2.0
_SOON = Aim(limit=80, is_minimum=True)
_BURST = Aim(limit=10)
_COLD = Aim(limit=5)
_PER_MINUTE = Aim(limit=12, is_minimum=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    calls: int = 20
    users: int = 30
    together: int = 10
    rounds: int = 3
    seconds: int = 40


@dataclass(slots=True, kw_only=True)
class Found:
    """How the calls of one kind of worker went, part by part."""

    warm: list[Call] = field(default_factory=list)
    arrivals: list[Call] = field(default_factory=list)
    bursts: list[Sequence[Call]] = field(default_factory=list)
    cold: list[Call] = field(default_factory=list)
    quick: list[Call] = field(default_factory=list)
    quick_took_s: float = 0.0

    @property
    def problems(self) -> list[str]:
        """Why users heard nothing."""
        calls = [*self.warm, *self.arrivals, *self.cold, *self.quick]
        calls += [call for burst in self.bursts for call in burst]
        return [call.problem for call in calls if call.problem]


def table(found: Mapping[str, Found], sizes: Sizes, *, patience_s: float) -> Table:
    """Return a line for each figure and kind, with the aim, and what the older design took."""
    rows = [
        row
        for maker in (_assigned, _word, _soon, _bursts, _cold, _quick)
        for kind, one in found.items()
        for row in maker(kind, one, patience_s)
    ]
    return Table(
        part="assignment",
        question="from the request for a session to an agent that has it, and to its first word",
        subject="what, isolation",
        rows=rows,
        notes=(
            "assigned: an agent has claimed the session in the store; first word: the first sound "
            "of the greeting that the user hears over WebRTC; the users are on the same cores",
            f"who has heard nothing after {patience_s:g} s counts as having waited so long, and "
            "is not served; p95 and worst of a share or a rate are ms to the first word",
            f"random arrivals: {sizes.users} users at 0.5/s, who stay 8 to 12 s, the same "
            "each time; cold: a new worker with POOL_SIZE=0 and no clip of its greeting",
            "all else is as by default, three warm processes or seats too; older: what the "
            "design with one Celery task for each call took",
            _warmth(found),
        ),
    )


def _warmth(found: Mapping[str, Found]) -> str:
    """Say how often a warm process was there: cold starts shall have none."""
    calls = {
        "one by one": [call for one in found.values() for call in one.warm],
        "at once": [call for one in found.values() for calls in one.bursts for call in calls],
        "cold": [call for one in found.values() for call in one.cold],
    }
    told = (
        f"{name} {sum(call.is_warm is True for call in of)} of {len(of)}"
        for name, of in calls.items()
        if of
    )
    return f"had by a warm process or seat: {', '.join(told) or 'not looked at'}"


def _assigned(kind: str, found: Found, patience_s: float) -> Iterator[Row]:
    if found.warm:
        took = [_or(call.assigned_ms, patience_s) for call in found.warm]
        yield _times(f"assigned, ms: {kind}", took, found.warm, aim=_ASSIGNED)


def _word(kind: str, found: Found, patience_s: float) -> Iterator[Row]:
    if found.warm:
        took = [_or(call.word_ms, patience_s) for call in found.warm]
        yield _times(f"first word, ms: {kind}", took, found.warm)


def _soon(kind: str, found: Found, patience_s: float) -> Iterator[Row]:
    parts = {"one by one": found.warm, "random arrivals": found.arrivals}
    for name, calls in parts.items():
        if not calls:
            continue
        took = [_or(call.word_ms, patience_s) for call in calls]
        share = 100 * sum(one <= _SOON_S * 1e3 for one in took) / len(took)
        figures = {**_times("", took, calls).figures, "figure": round(share, 1)}
        row_name = f"{name}, % with a word in {_SOON_S:g} s: {kind}"
        yield Row(name=row_name, figures=figures, aim=_SOON)


def _bursts(kind: str, found: Found, patience_s: float) -> Iterator[Row]:
    if found.bursts:
        took = [max(_or(one.word_ms, patience_s) for one in calls) / 1e3 for calls in found.bursts]
        everybody = [call for calls in found.bursts for call in calls]
        name = f"{len(found.bursts[0])} at once, s until all speak: {kind}"
        yield _times(name, took, everybody, aim=_BURST, older="40 to 50")


def _cold(kind: str, found: Found, patience_s: float) -> Iterator[Row]:
    if found.cold:
        took = [_or(call.word_ms, patience_s) / 1e3 for call in found.cold]
        name = f"cold, s to the first word: {kind}"
        yield _times(name, took, found.cold, aim=_COLD, older="15 to 20")


def _quick(kind: str, found: Found, patience_s: float) -> Iterator[Row]:
    if found.quick:
        took = [_or(call.word_ms, patience_s) for call in found.quick]
        served = sum(call.word_ms is not None for call in found.quick)
        per_minute = round(60 * served / found.quick_took_s, 1)
        figures = {**_times("", took, found.quick).figures, "figure": per_minute}
        yield Row(name=f"agents a minute, one by one: {kind}", figures=figures, aim=_PER_MINUTE)


def _times(
    name: str,
    took: Sequence[float],
    calls: Sequence[Call],
    *,
    aim: Aim | None = None,
    older: str | None = None,
) -> Row:
    """Return a line whose figure is the median."""
    figures: dict[str, Value] = {
        "figure": _short(statistics.median(took)),
        "p95": _short(percentile(took, 95, len(took))),
        "worst": _short(max(took)),
        "served": f"{sum(call.word_ms is not None for call in calls)} of {len(calls)}",
        "older": older,
    }
    return Row(name=name, figures=figures, aim=aim)


def _or(value_ms: float | None, patience_s: float) -> float:
    return patience_s * 1e3 if value_ms is None else value_ms


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 2 if value < 100 else 0)
