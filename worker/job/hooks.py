"""What the framework calls in a job process, for the worker process to hand over.

The worker process only names these functions and never calls them. What they need is imported when
they are called: in a job process it is there already, inherited from the process that all are
forked from; the worker process starts in half the time without it.
"""
# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from livekit.agents import JobContext, JobProcess

from worker.personas.cast import Cast
from worker.settings import WorkerSettings

#: Imported once, in the process that all job processes are forked from.
PRELOADED = [
    # What the framework and the provider's client would otherwise import during the first call.
    # Its packages name what they hold, and import it when it is used.
    "anyio._backends._asyncio",
    "encodings.ascii",
    "livekit.agents.llm.async_toolset",
    "livekit.agents.voice.report",
    "numpy.fft",
    "openai.lib.streaming.chat",
    "openai.resources.audio.audio",
    "openai.resources.chat.chat",
    "openai.resources.models",
    "worker.job.entrypoint",
    "worker.job.prewarm",
    "livekit.agents.voice.room_io",
    # Last: it uses what was imported.
    "worker.job.preload",
]


def prewarm(settings: WorkerSettings, cast: Cast, figures_at: str, process: JobProcess) -> None:
    """See `worker.job.prewarm`."""
    from worker.job.prewarm import prewarm

    prewarm(settings, cast, figures_at, process)


async def run(ctx: JobContext) -> None:
    """See `worker.job.entrypoint`."""
    from worker.job.entrypoint import run

    await run(ctx)


async def on_session_end(ctx: JobContext) -> None:
    """See `worker.job.entrypoint`."""
    from worker.job.entrypoint import on_session_end

    await on_session_end(ctx)
