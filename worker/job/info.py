"""What the framework knows of a job and does not show. Private parts: see host/pool.py."""

from __future__ import annotations

from livekit.agents import JobContext


def job_received_at(ctx: JobContext) -> float:
    """Return when the worker was asked to take a job, in seconds since 1970."""
    return ctx._info.received_at  # noqa: SLF001 - see above
