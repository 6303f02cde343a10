"""A job: what the framework calls inside a job process, and nothing else."""

from __future__ import annotations

import logging

from livekit.agents import JobContext, JobExecutorType

from sessions.assignment import Assignment
from sessions.ids import WorkerId
from sessions.model import AgentProcess
from worker.call.call import Call
from worker.call.lease import Lease
from worker.call.outcome import CRASHED
from worker.call.trail import Trail
from worker.call.warm import Warm
from worker.job.info import job_moments, job_received_at
from worker.job.warmth import warm_of

logger = logging.getLogger(__name__)


async def run(ctx: JobContext) -> None:
    """Start a call and return; it goes on in tasks of its own until the job shuts down."""
    warm = warm_of(ctx.proc)
    assignment = Assignment.of_job(
        ctx.job.metadata,
        ctx.job.room.name,
        job_id=ctx.job.id,
        may_adopt=warm.settings.adopt_dispatches,
    )
    if assignment is None:
        logger.warning("job is for no session of ours")
        ctx.shutdown("not_ours")
        return
    ctx.log_context_fields = {"session_id": assignment.session_id, "epoch": assignment.epoch}
    trail = _trail(ctx, warm, assignment)
    trail.enter()
    call = Call(ctx, warm, assignment, _lease(ctx, warm, assignment), trail)
    ctx.proc.userdata[_key(ctx)] = call
    try:
        await call.start(job_moments(ctx))
    except Exception:
        # The framework reports a crashed entrypoint as success; the store shall know better.
        call.conclude(CRASHED)
        raise


async def on_session_end(ctx: JobContext) -> None:
    """Record how the call went: the framework waits for this, whatever ended the job."""
    call = ctx.proc.userdata.pop(_key(ctx), None)
    try:
        if isinstance(call, Call):
            await call.finish()
    finally:
        # A process that has one job ends with it.
        if ctx.proc.executor_type is JobExecutorType.PROCESS:
            await warm_of(ctx.proc).aclose()


def _key(ctx: JobContext) -> str:
    return f"call {ctx.job.id}"


def _trail(ctx: JobContext, warm: Warm, assignment: Assignment) -> Trail:
    return Trail(
        warm.traces,
        assignment,
        job_id=ctx.job.id,
        worker_id=warm.settings.worker_id,
        is_warm=warm.since <= job_received_at(ctx),
        is_adopted=not ctx.job.metadata,
    )


def _lease(ctx: JobContext, warm: Warm, assignment: Assignment) -> Lease:
    process = AgentProcess(
        worker_id=WorkerId(warm.settings.worker_id),
        pid=ctx.proc.pid or 0,
        job_id=ctx.job.id,
        prewarmed=warm.since <= job_received_at(ctx),
    )
    return Lease(
        warm.store,
        assignment,
        process,
        interval_s=warm.settings.heartbeat_interval_s,
    )
