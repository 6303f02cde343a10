"""What the framework knows of a job and does not show. Private parts: see host/pool.py."""

from __future__ import annotations

from livekit.agents import JobContext

from worker.call.moments import Moment


def job_received_at(ctx: JobContext) -> float:
    """Return when the worker was asked to take a job, in seconds since 1970."""
    return ctx._info.received_at  # noqa: SLF001 - see above


def job_moments(ctx: JobContext) -> dict[Moment, float]:
    """Return when the job came by which stages, in seconds since 1970; without those not known."""
    info = ctx._info  # noqa: SLF001 - see above
    moments = {
        Moment.RECEIVED: info.received_at,
        Moment.ACCEPTED: info.accepted_at,
        Moment.ASSIGNED: info.assigned_at,
        Moment.LAUNCHED: info.launched_at,
    }
    return {moment: at_s for moment, at_s in moments.items() if at_s > 0}
