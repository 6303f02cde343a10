"""What a job process prepares before a job comes: the composition root of the process."""

from __future__ import annotations

import logging
import time

from livekit import rtc
from livekit.agents import JobProcess

from sessions.connection import Temper, connect
from sessions.store import SessionStore
from worker.call.notice import Notice
from worker.call.warm import Warm
from worker.personas.cast import Cast
from worker.settings import WorkerSettings
from worker.toolbox.discovery import Toolbox
from worker.voice.clips import load_clip
from worker.voice.pipeline import build_pipeline

_KEY = "warm"


def warm_of(process: JobProcess) -> Warm:
    """Return what `prewarm` has put into a process."""
    warm = process.userdata[_KEY]
    if not isinstance(warm, Warm):
        raise TypeError("this process was not prewarmed")
    return warm


def prewarm(settings: WorkerSettings, cast: Cast, process: JobProcess) -> None:
    """Build everything; no connection is made and no event loop needed."""
    role = cast.default
    # Starts the threads of the WebRTC library, which the first room would otherwise wait for.
    rtc.AudioResampler(input_rate=24_000, output_rate=48_000)
    logging.getLogger().addFilter(_is_no_unheard_stream)
    notice = Notice()
    notice.install()
    redis = connect(settings, Temper.PATIENT)
    process.userdata[_KEY] = Warm(
        settings=settings,
        redis=redis,
        store=SessionStore(redis, settings),
        pipeline=build_pipeline(role.settings, redis),
        cast=cast,
        toolbox=Toolbox.load(settings.tools_dir, settings.tool_timeout_s),
        greeting=load_clip(role.settings, role.greeting),
        notice=notice,
        since=time.time(),
    )


def _is_no_unheard_stream(record: logging.LogRecord) -> bool:
    """Pass over what the WebRTC library says of each stream that nobody reads (livekit 1.1.21).

    It says so on the root logger, with the topic, which is whatever its sender likes, and as often.
    """
    return not str(record.msg).startswith(("ignoring text stream", "ignoring byte stream"))
