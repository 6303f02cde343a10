"""What the drill found: starts, calls, rollouts, and how soon the new version served."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.deploy_drill.deployers import Rollout
from bench.deploy_drill.held_calls import PATIENCE_S, HeldCall
from bench.deploy_drill.moments import Moments
from bench.deploy_drill.short_calls import ShortCall
from bench.table import Aim, Row, Table

_NONE = Aim(limit=0)
#: A second between two starts, three in which a token server says that it will stop, one in which
#: the balancer looks.
_SWITCHED = Aim(limit=5)
#: The new agent joins the room, and speaks.
_SILENCE = Aim(limit=5)
_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that was seen."""

    rollouts: Sequence[Rollout]
    #: Those of the new version, by what was replaced.
    moments: Sequence[tuple[str, Moments]]
    short: Sequence[ShortCall]
    #: Those with an agent on a worker as it was told to go; and how many were handed over.
    in_drain: Sequence[ShortCall]
    in_drain_moved: int
    held: Sequence[HeldCall]
    replicas: int
    every_s: float
    drain_s: float
    handover_s: float


def tables(found: Found) -> list[Table]:
    """Return all of them."""
    return [_starts(found), _calls(found), _rollouts(found), _versions(found)]


def _starts(found: Found) -> Table:
    phases = list(dict.fromkeys(call.phase for call in found.short))
    rows = [_row_of(phase, [one for one in found.short if one.phase == phase]) for phase in phases]
    troubles = [
        f"{one.phase}, after {one.tries} tries: {one.refusal or one.trouble}"
        for one in found.short
        if one.refusal or one.trouble
    ]
    return Table(
        part="starts",
        question=f"what became of users who started, one every {found.every_s:g} s",
        subject="meanwhile",
        rows=[*rows, _row_of("all", found.short)],
        notes=(
            "failed: no session, after the client's own repetitions; not served: no greeting, or "
            "no answer for who asked; the aim is for both together",
            *troubles[:_SHOWN],
        ),
    )


def _row_of(name: str, calls: Sequence[ShortCall]) -> Row:
    greeted_s = [one.greeted_s for one in calls if one.greeted_s is not None]
    failed = sum(bool(one.refusal) for one in calls)
    silent = sum(bool(one.trouble) for one in calls)
    return Row(
        name=name,
        figures={
            "asked": len(calls),
            "refused at first": sum(one.was_refused_first for one in calls),
            "failed": failed,
            "not served": silent,
            "lost": failed + silent,
            "s to the first word: median": _median(greeted_s),
            "longest": _most(greeted_s),
        },
        aim=_NONE,
        judged="lost",
    )


def _calls(found: Found) -> Table:
    held = found.held
    waits_s = [one for call in held for one in call.waits_s]
    silences_s = [one for call in held for one in call.silences_s]
    moved, drained = found.in_drain_moved, len(found.in_drain)
    lost = sum(bool(one.trouble) for one in found.in_drain)
    rows = [
        _figure("held through the drill", len(held)),
        _figure("cut", sum(one.is_cut for one in held), _NONE),
        _figure("ended before their time", sum(bool(one.ended_because) for one in held), _NONE),
        _figure("agents replaced without need", sum(one.losses for one in held), _NONE),
        _figure("handed over to another worker", sum(one.handed_over for one in held)),
        _figure("s in which nobody spoke at a handover: median", _median(silences_s)),
        _figure("s in which nobody spoke at a handover: longest", _most(silences_s), _SILENCE),
        _figure("questions asked", sum(one.asked for one in held)),
        _figure("answered", sum(len(one.answered_s) for one in held)),
        _figure("met a handover", sum(len(one.interrupted_s) for one in held)),
        _figure("not answered", sum(one.unanswered for one in held), _NONE),
        _figure("s from a question to the next word: median", _median(waits_s)),
        _figure("s from a question to the next word: longest", _most(waits_s)),
        _figure("short, on a worker that was told to go", drained),
        _figure("short, ended there by their users", drained - moved - lost),
        _figure("short, handed over", moved),
    ]
    return Table(
        part="calls",
        question=f"what became of calls; a worker has {found.drain_s:g} s to drain, and hands over "
        f"what is left after {found.drain_s - found.handover_s:g} s",
        subject="calls",
        rows=rows,
        notes=(
            "cut: a question was not answered, an agent was lost, or the call ended",
            "met a handover: the next words were those of the next agent, which said that it is "
            "there",
            f"not answered: nothing was heard within {PATIENCE_S:g} s",
        ),
    )


def _rollouts(found: Found) -> Table:
    rows = [
        Row(
            name=f"{one.kind}: {one.version.name}",
            figures={
                "replaced": len(one.new),
                "killed": one.killed,
                "serving before": one.before,
                "serving after": one.after,
            },
            aim=_aim(one, found.replicas),
        )
        for one in found.rollouts
    ]
    return Table(
        part="rollouts",
        question="which versions took the place of the old one, and what served then",
        subject="rollout",
        rows=rows,
        notes=(
            "serving: ready, and says so; the version is what each process says of itself",
            *(
                f"{one.kind}: {one.version.name}: {one.why_not}"
                for one in found.rollouts
                if one.why_not
            ),
        ),
    )


def _aim(rollout: Rollout, replicas: int) -> Aim:
    """Say how many were to be replaced: none by a version that cannot serve."""
    is_good = rollout.version.is_good
    return Aim(limit=replicas, is_minimum=True) if is_good else _NONE


def _versions(found: Found) -> Table:
    rows = []
    for name, one in found.moments:
        never = None in one.first_s
        first_s = None if never else _most([s for s in one.first_s if s is not None])
        last_s = _most(one.last_s)
        rows += [
            _seconds(f"{name}: a new one's start to ready", _most(one.ready_s)),
            _seconds(f"{name}: SIGTERM to the next session on a new one", first_s, _SWITCHED),
            _seconds(f"{name}: SIGTERM to the last session on that one", last_s, _SWITCHED),
            _seconds(f"{name}: SIGTERM to its end", _most(one.gone_s)),
        ]
    return Table(
        part="versions",
        question="how soon new sessions were on the new version",
        subject="from when to when",
        rows=rows,
        notes=(
            "the longest of all that were replaced",
            "of a token server: the starts that it was sent; of a worker: the calls that its "
            "agents took",
        ),
    )


def _figure(name: str, figure: float | None, aim: Aim | None = None) -> Row:
    return Row(name=name, figures={"figure": figure}, aim=aim)


def _seconds(name: str, seconds: float | None, aim: Aim | None = None) -> Row:
    return Row(name=name, figures={"s": seconds}, aim=aim)


def _median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 2) if values else None


def _most(values: Sequence[float]) -> float | None:
    return round(max(values), 2) if values else None
