"""What the calls of a process share, built before the first of them comes (job/prewarm.py)."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from sessions.batch import Client
from sessions.store import SessionStore
from telemetry.figures import FigureSender
from telemetry.metrics import SPANS_LOST
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
    #: How many spans were lost, as the thread that sends them tells.
    spans_lost: deque[int]
    #: When this process was ready for a job, in seconds since 1970.
    since: float

    async def clip(self, role: Role, text: str) -> Clip | None:
        """Return these words, spoken; a clip that was made since this process became warm, too."""
        if role is self.cast.default and text == role.greeting and self.greeting is not None:
            return self.greeting
        return await asyncio.to_thread(load_clip, role.settings, text)

    def count_lost_spans(self) -> None:
        """Send on how many were lost since the last time."""
        while self.spans_lost:
            self.figures.count(SPANS_LOST, self.spans_lost.popleft())

    async def aclose(self) -> None:
        """Close what calls share, after the last of them."""
        await self.traces.aclose()
        self.count_lost_spans()
        self.processor.count()
        self.figures.close()
        await self.pipeline.aclose()
        await self.redis.aclose()
