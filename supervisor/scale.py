"""How many workers the fleet shall have, for whoever starts and stops machines.

A function of what was read: it asks nobody, so that every token server and every supervisor comes
to the same number, whoever led a minute ago.

Scenario: calls come, and go on coming. A machine takes minutes to be there. So more places are
wanted than are taken: a reserve, which is a fifth of the load, or as much as the load has grown
within one minute of the last half hour, whichever is more. More workers are wanted at once.

Scenario: calls end, and others come a moment later. Nobody stops machines for that: fewer workers
are wanted only once fewer were enough for `SCALE_IN_AFTER_S`. That is read off what the store
counts minute by minute, backwards from now. So nothing has to be remembered, and a restart forgets
nothing.

Scenario: workers are not alike. A platform that takes some away asks nobody which. So many are
wanted that whichever of today's workers are kept, their places are enough; what is lacking is
counted in workers of the usual size.

Scenario: users wait in line, although workers have places. They wait for slots (`MAX_SESSIONS`),
and no machine gives them any: places beyond the slots are not wanted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from statistics import median_low

from sessions.fleet import Worker
from sessions.minutes import History
from sessions.settings import MINUTES_KEPT
from sessions.states import HOLDING
from sessions.views import FleetSummary

_MINUTE_S = 60
#: So far back does a reserve look that nobody has set.
RESERVE_MINUTES = 30
#: One of so many calls more may come before there is another machine.
_RESERVED_SHARE = 5
#: Older calls are not known of any more: fewer workers may be wanted after this at the latest.
LONGEST_SCALE_IN_S = (MINUTES_KEPT - RESERVE_MINUTES - 2) * _MINUTE_S


class Reason(StrEnum):
    """What the number comes from."""

    LOAD = "load"  # the calls, the line, and what is to spare
    LATELY = "lately"  # the same, of a while ago: fewer would do now
    MAX_SESSIONS = "max_sessions"  # more would be of no use: there are no slots for them
    MIN_WORKERS = "min_workers"  # fewer would do
    MAX_WORKERS = "max_workers"  # more are lacking


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleRules:
    """What the settings say."""

    #: Free places that there shall always be; None: by what has happened.
    reserve: int | None
    min_workers: int
    max_workers: int
    #: How many calls a worker takes, where none is there to tell.
    worker_capacity: int
    scale_in_after_s: float

    @property
    def minutes(self) -> int:
        """How many minutes of history are asked for."""
        return RESERVE_MINUTES + math.ceil(self.scale_in_after_s / _MINUTE_S) + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How many workers there shall be, and what that comes from."""

    desired: int
    #: Workers that take calls.
    current: int
    reason: Reason
    #: Sessions that have a slot, and those that wait for one.
    calls: int
    waiting: int
    #: How many places shall be free beside them.
    reserve: int
    #: Of the workers that take calls; and of a worker as most are.
    places: int
    places_per_worker: int


def scaling_of(summary: FleetSummary, history: History, rules: ScaleRules) -> Scaling:
    """Say how many workers there shall be; the history is of `rules.minutes`."""
    calls = sum(summary.sessions[state] for state in HOLDING)
    waiting = summary.line.length
    load = calls + waiting
    taking = taking_calls(summary.workers)
    sizes = sorted(worker.capacity for worker in taking)
    usual = _usual_size(summary.workers, rules)

    def places_for(load: int) -> int:
        wanted = load + _reserve(load, history, rules)
        return max(calls, min(wanted, summary.capacity))

    busiest = max(load, *_loads(summary, history, rules), 0)
    now, needed = (
        workers_for(places_for(some), sizes=sizes, usual=usual) for some in (load, busiest)
    )
    desired = min(max(needed, rules.min_workers), rules.max_workers)
    reserve = max(0, min(_reserve(load, history, rules), summary.capacity - load))
    return Scaling(
        desired=desired,
        current=len(taking),
        reason=_reason(
            now, needed, rules, is_capped=load + _reserve(load, history, rules) > summary.capacity
        ),
        calls=calls,
        waiting=waiting,
        reserve=reserve,
        places=sum(sizes),
        places_per_worker=usual,
    )


def taking_calls(workers: Iterable[Worker]) -> list[Worker]:
    """Return the workers that take calls: who drains has no places."""
    return [worker for worker in workers if not worker.is_draining and worker.capacity > 0]


def workers_for(places: int, *, sizes: Sequence[int], usual: int) -> int:
    """Return how many workers have so many places, whichever of those of these sizes they are.

    Beyond these, they are of the usual size.
    """
    smallest_first = [0, *accumulate(sorted(sizes))]
    for number, together in enumerate(smallest_first):
        if together >= places:
            return number
    return len(sizes) + math.ceil((places - smallest_first[-1]) / usual)


def _usual_size(workers: Iterable[Worker], rules: ScaleRules) -> int:
    """Return how many calls a worker takes that is to come: as many as those that are there."""
    there = [worker for worker in workers if worker.capacity > 0]
    # Who drains may be of another time; better than nobody.
    like = taking_calls(there) or there
    return median_low([worker.capacity for worker in like]) if like else rules.worker_capacity


def _reserve(load: int, history: History, rules: ScaleRules) -> int:
    """Return how many places more there shall be than such a load takes."""
    if rules.reserve is not None:
        return rules.reserve
    # As far back as fewer have to be enough, so that no burst is forgotten before its load is.
    return max(1, math.ceil(load / _RESERVED_SHARE), *_rises(history))


def _rises(history: History) -> list[int]:
    """Return by how much the load has grown in each minute, the oldest first."""
    return [minute.admitted - minute.ended - minute.failed for minute in history.minutes]


def _loads(summary: FleetSummary, history: History, rules: ScaleRules) -> list[int]:
    """Return how many had a slot at the beginning of each minute that still counts.

    Of the line only those are known who got a slot since. Who left it has ended, as if it had been
    a call: the past looks a little busier than it was, but no places beyond the slots are wanted.
    """
    if not rules.scale_in_after_s:
        return []
    # The minute in which that time began is among them.
    since_ms = summary.at_ms - (rules.scale_in_after_s + _MINUTE_S) * 1000
    held, loads = sum(summary.sessions[state] for state in HOLDING), []
    for minute, rise in zip(reversed(history.minutes), reversed(_rises(history)), strict=True):
        held -= rise
        if minute.at_ms > since_ms:
            loads.append(held)
    return loads


def _reason(now: int, needed: int, rules: ScaleRules, *, is_capped: bool) -> Reason:
    if needed > rules.max_workers:
        return Reason.MAX_WORKERS
    if needed < rules.min_workers:
        return Reason.MIN_WORKERS
    if needed > now:
        return Reason.LATELY
    return Reason.MAX_SESSIONS if is_capped else Reason.LOAD
