"""What came of the mixed load, in tables: the starts, those who were held, what it took."""

from __future__ import annotations

import os
from collections import Counter

from bench.race.crowd import EVERY_S
from bench.race.figures import middle, percentile
from bench.race.guest import PATIENCE_S
from bench.race.mixed import STAYS_S, Mix, Mixes, Plan
from bench.race.sides import OURS
from bench.table import Aim, Row, Table, Value

_SOON_S = 2.0
_SOON_PERCENT = 80.0
_ALL_PERCENT = 100.0
_SERVED, _SOON = "served %", f"in {_SOON_S:g} s %"
_HELD, _ANSWERED = "held, end", "answered %"


def mixed_tables(mixes: Mixes, plan: Plan) -> list[Table]:
    """Return how new users were served, those who stayed, and the machine's load."""
    return [_starts(mixes, plan), _held(mixes, plan), _cost(mixes)]


def _starts(mixes: Mixes, plan: Plan) -> Table:
    aims = {_SERVED: _at_least(_ALL_PERCENT), _SOON: _at_least(_SOON_PERCENT)}
    return Table(
        part="mixed",
        question=f"a new user each {plan.every_s:g} s for {plan.minutes:g} min, while {plan.held} "
        f"stay, of whom {plan.talking} talk all the time",
        subject="worker",
        rows=[row for name, mix in mixes.items() for row in _rows(name, _start_figures(mix), aims)],
        notes=(
            "first audio: from asking LiveKit for the room, which the user joins as soon as that "
            "is answered, to the first sound that is no silence",
            f"users who heard nothing within {PATIENCE_S:g} s count as slowest of all, and in no "
            f"share; the others stay for {STAYS_S:g} s more; none of them has a microphone",
            "the plain worker refuses calls while the machine is busy, as the framework has it",
            *(note for name, mix in mixes.items() for note in _notes(name, mix)),
        ),
    )


def _held(mixes: Mixes, plan: Plan) -> Table:
    aims = {_HELD: _at_least(plan.held), _ANSWERED: _at_least(_ALL_PERCENT)}
    return Table(
        part="mixed, held",
        question=f"what became of the {plan.held} who stayed",
        subject="worker",
        rows=[row for name, mix in mixes.items() for row in _rows(name, _held_figures(mix), aims)],
        notes=(
            f"they come before all others, every {EVERY_S:g} s, once each; begin, end: with the "
            "agent they had first, when the first of the others came, and after the last",
            "questions: of those who talk and were greeted; response: from the end of a question "
            "to the first sound of the answer",
            *(
                f"{name}, without an agent at the begin: {_listed(mix.held_failures)}"
                for name, mix in mixes.items()
                if mix.held_failures
            ),
        ),
    )


def _cost(mixes: Mixes) -> Table:
    return Table(
        part="mixed, cost",
        question=f"what that took, in cores (of {os.cpu_count()} in all), and the worker's memory",
        subject="worker",
        rows=[Row(name=name, figures=_cost_figures(mix)) for name, mix in mixes.items()],
        notes=(
            "users: the process of all users, which also hears LiveKit's webhooks; it shares the "
            "cores with the worker and LiveKit, so that these have less than the whole machine",
            "machine: all that ran, Redis, the provider, the kernel and whoever else was at work "
            "included (psutil's cpu_percent); users' late p99: what their event loop was late by, "
            "which is in the first audio, too",
            "PSS: with those who stayed and those who had just come",
        ),
    )


def _start_figures(mix: Mix) -> dict[str, Value]:
    soon = sum(one <= _SOON_S for one in mix.first_s)
    return {
        "asked": mix.asked,
        "served": len(mix.first_s),
        _SERVED: _percent(len(mix.first_s), mix.asked),
        **{f"p{place} s": percentile(mix.first_s, place, mix.asked) for place in (50, 90, 95)},
        _SOON: _percent(soon, mix.asked),
    }


def _held_figures(mix: Mix) -> dict[str, Value]:
    response_s = middle(mix.answered_s)
    return {
        "held, begin": mix.held_began,
        _HELD: mix.held_ended,
        "questions": mix.questions,
        "answered": len(mix.answered_s),
        _ANSWERED: _percent(len(mix.answered_s), mix.questions),
        "response p50 ms": None if response_s is None else 1000 * response_s,
    }


def _cost_figures(mix: Mix) -> dict[str, Value]:
    percent = mix.machine_percent
    return {
        **{name: round(mix.cores[name], 2) for name in ("worker", "livekit", "users")},
        "machine": None if percent is None else round(percent / 100 * (os.cpu_count() or 1), 2),
        "machine %": percent,
        "users, of machine %": _percent(
            mix.cores["users"], (percent or 0.0) / 100 * (os.cpu_count() or 1)
        ),
        "PSS MB": mix.pss_mb,
        "users' late p99 ms": mix.late_p99_ms,
    }


def _rows(name: str, figures: dict[str, Value], aims: dict[str, Aim]) -> list[Row]:
    """Return a line, and for ours one for each aim."""
    if name not in OURS:
        return [Row(name=name, figures=figures)]
    names = [name, *([f"{name}, too"] * (len(aims) - 1))]
    return [
        Row(name=shown, figures=figures, aim=aim, judged=column)
        for shown, (column, aim) in zip(names, aims.items(), strict=True)
    ]


def _notes(name: str, mix: Mix) -> list[str]:
    return [
        *([f"{name}, not served: {_listed(mix.failures)}"] if mix.failures else []),
        *([f"{name}, errors: {_listed(mix.troubles)}"] if mix.troubles else []),
    ]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} times: {what}" for what, count in counts.most_common())


def _at_least(limit: float) -> Aim:
    return Aim(limit=limit, is_minimum=True)


def _percent(part: float, whole: float) -> float | None:
    """Return a share, rounded down: what is not all of them is less than 100."""
    return int(1000 * part / whole) / 10 if whole else None
