"""What the calls of a process share, built before the first of them comes (job/prewarm.py)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sessions.batch import Client
from sessions.store import SessionStore
from telemetry.figures import FigureSender
from telemetry.tracing import Traces
from worker.call.measures import Processor
from worker.call.notice import Notice
from worker.call.vitals import Memory
from worker.personas.cast import Cast, Role
from worker.settings import WorkerSettings
from worker.toolbox.discovery import Toolbox
from worker.voice.clips import Clip, load_clip
from worker.voice.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Warm:
    """All that a call needs and that does not depend on the call."""

    settings: WorkerSettings
    redis: Client
    store: SessionStore
    pipeline: Pipeline
    cast: Cast
    toolbox: Toolbox
    #: That of the default persona; other clips are read when they are needed.
    greeting: Clip | None
    #: Comes when the worker is about to stop.
    notice: Notice
    memory: Memory
    #: Takes what is measured of calls, and of this process.
    figures: FigureSender
    processor: Processor
    traces: Traces
    #: When this process was ready for a job, in seconds since 1970.
    since: float

    async def clip(self, role: Role, text: str) -> Clip | None:
        """Return these words, spoken; a clip that was made since this process became warm, too."""
        if role is self.cast.default and text == role.greeting and self.greeting is not None:
            return self.greeting
        return await asyncio.to_thread(load_clip, role.settings, text)

    async def aclose(self) -> None:
        """Close what calls share, after the last of them."""
        await self.traces.aclose()
        # Which spans were lost is told as figures, too.
        await asyncio.sleep(0)
        self.processor.count()
        self.figures.close()
        await self.pipeline.aclose()
        await self.redis.aclose()
