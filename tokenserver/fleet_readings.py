"""The fleet, as Redis has it, in metrics. Each token server tells the same: take the largest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sessions.model import LossCause
from sessions.settings import COUNTED
from sessions.states import HOLDING, TERMINAL, State
from sessions.views import FleetSummary
from supervisor.scale import Scaling, taking_calls
from telemetry import metrics
from telemetry.meter import Reading


def fleet_readings(
    summary: FleetSummary, totals: Mapping[str, int], scaling: Scaling
) -> Iterator[Reading]:
    """Yield what a summary and the store's counters say, and how many workers are wanted."""
    yield from _of_sessions(summary)
    yield from _of_workers(summary)
    yield metrics.WORKERS_DESIRED, {}, scaling.desired
    yield from _of_pool(summary)
    for outcome in COUNTED:
        yield metrics.OUTCOMES, {"outcome": outcome}, totals.get(outcome, 0)
    for cause in LossCause:
        yield metrics.LOSSES, {"cause": cause.value}, totals.get(f"lost:{cause}", 0)
    yield metrics.OUTAGES, {}, len(summary.outages)


def _of_sessions(summary: FleetSummary) -> Iterator[Reading]:
    for state in State:
        if state not in TERMINAL:
            yield metrics.SESSIONS, {"state": state.value}, summary.sessions[state]
    yield metrics.SLOTS, {}, summary.capacity
    yield metrics.SLOTS_TAKEN, {}, sum(summary.sessions[state] for state in HOLDING)
    yield metrics.QUEUE_LENGTH, {}, summary.line.length
    yield metrics.QUEUE_OLDEST_WAIT, {}, (summary.line.oldest_wait_ms or 0) / 1000


def _of_workers(summary: FleetSummary) -> Iterator[Reading]:
    draining = [worker for worker in summary.workers if worker.is_draining]
    taking = taking_calls(summary.workers)
    yield metrics.WORKERS, {"draining": "true"}, len(draining)
    yield metrics.WORKERS, {"draining": "false"}, len(taking)
    yield metrics.PLACES, {}, sum(worker.capacity for worker in taking)
    yield metrics.PLACES_TAKEN, {}, sum(worker.active for worker in taking)


def _of_pool(summary: FleetSummary) -> Iterator[Reading]:
    pool = summary.pool
    # While nobody has set one, each worker keeps what its own settings say.
    if pool.target is not None:
        yield metrics.POOL_TARGET, {}, pool.target
    if pool.tuning is not None:
        yield metrics.POOL_TUNED, {}, pool.tuning.size
    yield metrics.POOL_WARM, {}, summary.idle
    yield metrics.POOL_SPAWNED, {}, pool.total_spawned
    yield metrics.CLAIMS, {"warm": "true"}, pool.total_assigned
    yield metrics.CLAIMS, {"warm": "false"}, pool.total_cold
