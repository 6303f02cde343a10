"""What somebody ought to look at, as far as the fleet's own figures tell.

A function of what was read: it asks nobody, so that whoever has a summary can judge it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rooms.breaker import BreakerState
from sessions.budget import Budget
from sessions.settings import STARTUP_EDGES_MS
from sessions.states import State
from sessions.views import FleetSummary
from supervisor.scale import taking_calls

#: With one warm process a start is as fast as ever; without any, a user waits for one to start.
FEWEST_WARM = 1
#: An agent that is sent is there within a second or two: so many at once are piling up.
MOST_STARTING = 10
#: Fewer come and go with a burst of starts; so many mean that slots are lacking.
LONGEST_QUEUE = 20
#: Warm starts take a fraction of this (docs/benchmarks.md); a user hears nothing meanwhile.
SLOWEST_START_MS = 2_000
#: One in 20, as a p95 has it; of fewer starts one would be too many.
MOST_SLOW = 0.05
FEWEST_STARTS = 5
#: Starts are counted by how long they took; those beyond that edge come after it.
_SLOW_FROM = STARTUP_EDGES_MS.index(SLOWEST_START_MS) + 1
#: Now and then a machine dies; more than this is a fault of something that all share. Fewer
#: outcomes than these are no figure: one failure would be a rate.
MOST_FAILURES = 0.10
FEWEST_OUTCOMES = 10
#: Workers beat several times in half a lease (WORKER_HEARTBEAT_S): one that is silent for so long
#: stands still or is cut off, and is off the list soon.
SILENT_SHARE_OF_LEASE = 0.5
#: Of the last hour and still now, so many failures use the budget of a month up in two days; fewer
#: than three are no share (ErrorBudgetBurnsFast in deploy/prometheus/rules/alerts.yml).
FASTEST_BURN = 0.144
FEWEST_BURNT = 3

_NAMES = {"redis": "Redis", "livekit": "LiveKit"}


class Severity(StrEnum):
    """How soon somebody ought to look."""

    WARNING = "warning"  # users notice little so far
    CRITICAL = "critical"  # calls fail, or will


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing that is not as it should be."""

    #: For programs; does not change.
    code: str
    severity: Severity
    #: What it means and what to do, for people.
    message: str
    #: What was found, and what it should not be beyond, or below.
    value: float
    limit: float


def alerts_of(
    summary: FleetSummary,
    circuits: Mapping[str, BreakerState],
    budget: Budget,
    *,
    worker_lease_s: float,
) -> list[Alert]:
    """Judge a summary, the circuit breakers of who asks, by the name of the neighbour, and the
    error budget."""
    found = (
        _no_worker(summary),
        _empty_pool(summary),
        _silent_worker(summary, worker_lease_s),
        _many_starting(summary),
        _long_queue(summary),
        _many_failures(summary),
        _burning_budget(budget),
        _slow_starts(summary),
        *(_open_circuit(name, state) for name, state in circuits.items()),
        _provider_down(summary),
    )
    return [alert for alert in found if alert is not None]


def _no_worker(summary: FleetSummary) -> Alert | None:
    if taking_calls(summary.workers):
        return None
    message = (
        "All workers drain: sessions wait, and then fail. Let one take calls again, or start one."
        if summary.workers
        else "No worker is there: sessions wait, and then fail. Start one, or read its log."
    )
    return Alert(
        code="no_worker",
        severity=Severity.CRITICAL,
        message=message,
        value=0,
        limit=1,
    )


def _empty_pool(summary: FleetSummary) -> Alert | None:
    taking = taking_calls(summary.workers)
    idle, wanted = sum(one.idle for one in taking), sum(one.target for one in taking)
    if not wanted or idle >= FEWEST_WARM:
        return None
    return Alert(
        code="pool_empty",
        severity=Severity.WARNING,
        message="No process is warm: the next call waits until one has started. "
        "Make the pool larger, or add workers.",
        value=idle,
        limit=FEWEST_WARM,
    )


def _silent_worker(summary: FleetSummary, lease_s: float) -> Alert | None:
    limit_ms = round(lease_s * 1000 * SILENT_SHARE_OF_LEASE)
    silent = {one.id: summary.at_ms - one.seen_at_ms for one in summary.workers}
    names = sorted(name for name, silent_ms in silent.items() if silent_ms > limit_ms)
    if not names:
        return None
    return Alert(
        code="worker_silent",
        severity=Severity.WARNING,
        message=f"Not heard of for a while: {', '.join(names)}. "
        "Look whether its machine stands still, or does not reach Redis.",
        value=max(silent[name] for name in names),
        limit=limit_ms,
    )


def _many_starting(summary: FleetSummary) -> Alert | None:
    starting = summary.sessions[State.STARTING]
    if starting <= MOST_STARTING:
        return None
    return Alert(
        code="many_starting",
        severity=Severity.WARNING,
        message="Many sessions wait for their agent. Look whether workers are at their limit.",
        value=starting,
        limit=MOST_STARTING,
    )


def _long_queue(summary: FleetSummary) -> Alert | None:
    if summary.line.length <= LONGEST_QUEUE:
        return None
    return Alert(
        code="long_queue",
        severity=Severity.WARNING,
        message="Many users wait in line. Add workers, and raise MAX_SESSIONS with them.",
        value=summary.line.length,
        limit=LONGEST_QUEUE,
    )


def _many_failures(summary: FleetSummary) -> Alert | None:
    outcomes = summary.recent.ready + summary.recent.failed
    if outcomes < FEWEST_OUTCOMES or summary.recent.failed / outcomes <= MOST_FAILURES:
        return None
    return Alert(
        code="many_failures",
        severity=Severity.CRITICAL,
        message=f"Of {outcomes} sessions of the last {len(summary.recent.minutes)} minutes "
        f"{summary.recent.failed} have failed. Look at their `error`, and at the workers' logs.",
        value=round(summary.recent.failed / outcomes, 3),
        limit=MOST_FAILURES,
    )


def _burning_budget(budget: Budget) -> Alert | None:
    hour, just_now = budget.hour.share or 0.0, budget.just_now.share or 0.0
    if budget.hour.bad < FEWEST_BURNT or min(hour, just_now) <= FASTEST_BURN:
        return None
    return Alert(
        code="error_budget_burns",
        severity=Severity.CRITICAL,
        message="At the rate of the last hour, the failures allowed for a month are used up in two "
        "days. Look at the sessions' `error`, and put off what is risky.",
        value=round(hour, 3),
        limit=FASTEST_BURN,
    )


def _slow_starts(summary: FleetSummary) -> Alert | None:
    startups = summary.recent.startups
    starts, slow = sum(startups), sum(startups[_SLOW_FROM:])
    if starts < FEWEST_STARTS or slow / starts <= MOST_SLOW:
        return None
    return Alert(
        code="slow_starts",
        severity=Severity.WARNING,
        message=f"Of {starts} starts of the last {len(summary.recent.minutes)} minutes {slow} took "
        f"more than {SLOWEST_START_MS // 1000} s. Look at the pool of warm processes, and at the "
        "load of the workers.",
        value=round(slow / starts, 3),
        limit=MOST_SLOW,
    )


def _open_circuit(name: str, state: BreakerState) -> Alert | None:
    if state is BreakerState.CLOSED:
        return None
    return Alert(
        code=f"{name}_circuit_open",
        severity=Severity.CRITICAL,
        message=f"{_NAMES.get(name, name)} did not answer several times in a row, and calls are "
        "refused at once. Look whether it runs, and whether this server reaches it.",
        value=1,
        limit=0,
    )


def _provider_down(summary: FleetSummary) -> Alert | None:
    if not summary.outages:
        return None
    names = ", ".join(outage.name for outage in summary.outages)
    return Alert(
        code="provider_down",
        severity=Severity.WARNING,
        message=f"Others step in for {names}. Look at the provider's status page and your account.",
        value=len(summary.outages),
        limit=0,
    )
