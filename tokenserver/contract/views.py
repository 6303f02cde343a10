"""Sessions and the fleet, as answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from rooms.breaker import BreakerState
from sessions.budget import OBJECTIVE, WINDOW_DAYS, Budget
from sessions.fleet import Worker
from sessions.model import Place, Session
from sessions.pool import Tuning
from sessions.states import HOLDING, State
from sessions.views import FleetSummary
from supervisor.alerts import Alert
from supervisor.scale import Scaling
from tokenserver.contract.answers import ErrorBody, QueuePlace, SessionRecord, SessionView
from tokenserver.contract.fleet import (
    AlertView,
    Circuits,
    ErrorBudget,
    FleetView,
    Percentiles,
    PoolTuning,
    PoolView,
    ProviderOutage,
    QueueView,
    ScalingView,
    WorkerView,
)

MESSAGES = {
    State.QUEUED: "All agents are busy; you are in line.",
    State.STARTING: "An agent is on its way.",
    State.READY: "The agent is in the room and waits for you.",
    State.ACTIVE: "You are talking.",
    State.RECOVERING: "The agent was lost; another is on its way.",
    State.ENDING: "The session is being closed.",
    State.ENDED: "The session is over.",
    State.FAILED: "The session has failed.",
    State.EXPIRED: "The wait was given up.",
}
#: What more is known of a session that has ended, by its reason.
_ENDED = {
    "agent_hung_up": "The session is over: the agent has hung up.",
    "forgotten": "The session is over: its user was forgotten.",
    "no_user": "The session is over: nobody came into its room.",
    "replaced": "The session is over: its user has started another one.",
    "room_closed": "The session is over: its room was closed.",
    "room_gone": "The session is over: its room was lost.",
    "time_limit": "The session is over: its time was up.",
    "user_away": "The session is over: its user had been away for long.",
    "user_left": "The session is over: its user has left.",
}
_UNSERVED = "The session was over before an agent came."


def session_view(
    session: Session,
    place: Place | None = None,
    *,
    server_url: str | None = None,
    participant_token: str | None = None,
) -> SessionView:
    """Return what its owner may know of a session."""
    error = ErrorBody(code="session_failed", message=session.error) if session.error else None
    return SessionView(
        session_id=session.id,
        status=session.status,
        message=_message(session),
        revision=session.revision,
        room_name=session.room,
        created_at=session.created_at_ms,
        ready_at=session.ready_at_ms,
        joined_at=session.joined_at_ms,
        ended_at=session.ended_at_ms,
        startup_time=None if session.startup_ms is None else session.startup_ms / 1000,
        prewarmed=session.prewarmed,
        persona=session.persona,
        reason=session.reason,
        agent_state=session.agent_state,
        queue=QueuePlace.of(place) if session.status is State.QUEUED else None,
        server_url=server_url,
        participant_token=participant_token,
        error=error,
    )


def _message(session: Session) -> str:
    """Return what a session is shown as, in words for its user."""
    if session.error:
        return session.error
    if session.status is State.ENDED and session.ready_at_ms is None:
        return _UNSERVED
    if session.status is State.ENDED and session.reason in _ENDED:
        return _ENDED[session.reason]
    return MESSAGES[session.status]


def session_record(session: Session) -> SessionRecord:
    """Return what an admin may know of a session."""
    return SessionRecord(
        **session_view(session).model_dump(),
        user_id=session.user_id,
        worker_id=session.worker_id,
        agent_pid=session.agent_pid,
        agent_memory_bytes=session.pss_bytes,
        epoch=session.epoch,
        losses=len(session.losses_ms),
    )


def may_join(session: Session) -> bool:
    """Say whether the owner needs a token now: there is a slot, and nobody in the room yet."""
    return session.status in HOLDING and session.joined_at_ms is None


def pool_view(summary: FleetSummary) -> PoolView:
    """Return the warm processes of the fleet."""
    return PoolView(
        target=summary.pool.target,
        tuning=None if summary.pool.tuning is None else _pool_tuning(summary.pool.tuning),
        actual=summary.idle,
        total_spawned=summary.pool.total_spawned,
        total_assigned=summary.pool.total_assigned,
        total_cold=summary.pool.total_cold,
    )


def _pool_tuning(tuning: Tuning) -> PoolTuning:
    return PoolTuning(
        size=tuning.size,
        why=tuning.why,
        starts=tuning.starts,
        hit_share=tuning.hit_share,
        peak=tuning.peak,
        refill_ms=tuning.refill_ms,
        at=tuning.at_ms,
    )


def fleet_view(
    summary: FleetSummary,
    circuits: Mapping[str, BreakerState],
    alerts: list[Alert],
    scaling: Scaling,
    budget: Budget,
) -> FleetView:
    """Return everything at a glance; the circuits are those of who answers."""
    return FleetView(
        sessions=summary.sessions,
        capacity=summary.capacity,
        queue=QueueView(length=summary.line.length, oldest_wait_ms=summary.line.oldest_wait_ms),
        workers=[worker_view(worker) for worker in summary.workers],
        pool=pool_view(summary),
        latency=Percentiles(
            **{f"p{percent}": value for percent, value in summary.startup_ms.items()}
        ),
        circuits=Circuits(
            redis=circuits["redis"],
            livekit=circuits["livekit"],
            providers=[
                ProviderOutage(name=one.name, since=one.since_ms, until=one.until_ms)
                for one in summary.outages
            ],
        ),
        alerts=[AlertView(**asdict(alert)) for alert in alerts],
        scaling=ScalingView(**asdict(scaling)),
        error_budget=budget_view(budget),
    )


def budget_view(budget: Budget) -> ErrorBudget:
    """Return how the error budget stands."""
    rate = budget.burn_rate
    return ErrorBudget(
        objective=OBJECTIVE,
        window_days=WINDOW_DAYS,
        good=budget.window.good,
        bad=budget.window.bad,
        remaining=round(budget.remaining, 4),
        burn_rate=None if rate is None else round(rate, 2),
    )


def worker_view(worker: Worker) -> WorkerView:
    """Return one worker."""
    return WorkerView(
        id=worker.id,
        capacity=worker.capacity,
        active=worker.active,
        idle=worker.idle,
        load=worker.load,
        draining=worker.is_draining,
        surplus=worker.surplus_since_ms is not None,
        host=worker.host,
        version=worker.version,
        seen_at=worker.seen_at_ms,
    )
