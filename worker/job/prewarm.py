"""What a job process prepares before a job comes: the composition root of the process."""

from __future__ import annotations

import time
from dataclasses import dataclass

from livekit import rtc
from livekit.agents import JobProcess

from sessions.batch import Client
from sessions.connection import Temper, connect
from sessions.store import SessionStore
from worker.job.notice import Notice
from worker.settings import WorkerSettings
from worker.voice.greeting import Clip, load_greeting
from worker.voice.pipeline import Pipeline, build_pipeline

_KEY = "warm"


@dataclass(frozen=True, slots=True)
class Warm:
    """All that a call needs and that does not depend on the call."""

    settings: WorkerSettings
    redis: Client
    store: SessionStore
    pipeline: Pipeline
    greeting: Clip | None
    #: Comes when the worker is about to stop.
    notice: Notice
    #: When this process was ready for a job, in seconds since 1970.
    since: float

    @classmethod
    def of(cls, process: JobProcess) -> Warm:
        """Return what `prewarm` has put into a process."""
        warm = process.userdata[_KEY]
        if not isinstance(warm, Warm):
            raise TypeError("this process was not prewarmed")
        return warm

    async def aclose(self) -> None:
        """Close what calls share, after the last of them."""
        await self.pipeline.client.close()
        await self.redis.aclose()


def prewarm(settings: WorkerSettings, process: JobProcess) -> None:
    """Build everything; no connection is made and no event loop needed."""
    # Starts the threads of the WebRTC library, which the first room would otherwise wait for.
    rtc.AudioResampler(input_rate=24_000, output_rate=48_000)
    notice = Notice()
    notice.install()
    redis = connect(settings, Temper.PATIENT)
    process.userdata[_KEY] = Warm(
        settings=settings,
        redis=redis,
        store=SessionStore(redis, settings),
        pipeline=build_pipeline(settings),
        greeting=load_greeting(settings),
        notice=notice,
        since=time.time(),
    )
