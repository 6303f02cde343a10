"""What a job process prepares before a job comes: the composition root of the process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

from livekit import rtc
from livekit.agents import JobProcess
from livekit.agents.telemetry import set_tracer_provider

from sessions.connection import Temper, connect
from sessions.store import SessionStore
from telemetry.figures import FigureSender
from telemetry.metrics import SPANS_LOST
from telemetry.tracing import Traces, open_traces
from worker.call.measures import Processor
from worker.call.notice import Notice
from worker.call.vitals import Memory
from worker.call.warm import Warm
from worker.job.native import keep_native_log
from worker.job.warmth import keep_warm
from worker.personas.cast import Cast
from worker.settings import WorkerSettings
from worker.toolbox.discovery import Toolbox
from worker.voice.clips import load_clip
from worker.voice.pipeline import build_pipeline


def prewarm(settings: WorkerSettings, cast: Cast, figures_at: str, process: JobProcess) -> None:
    """Build everything; no connection is made and no event loop needed.

    `figures_at` is where the worker takes what is measured.
    """
    role = cast.default
    keep_native_log()
    # Starts the threads of the WebRTC library, which the first room would otherwise wait for.
    rtc.AudioResampler(input_rate=24_000, output_rate=48_000)
    logging.getLogger().addFilter(_is_no_unheard_stream)
    notice = Notice()
    notice.install()
    redis = connect(settings, Temper.PATIENT)
    figures = FigureSender(figures_at)
    warm = Warm(
        settings=settings,
        redis=redis,
        store=SessionStore(redis, settings),
        pipeline=build_pipeline(role.settings, redis),
        cast=cast,
        toolbox=Toolbox.load(settings.tools_dir, settings.tool_timeout_s),
        greeting=load_clip(role.settings, role.greeting),
        notice=notice,
        memory=Memory(),
        figures=figures,
        processor=Processor(figures),
        traces=_traces(settings, partial(figures.count_from_thread, SPANS_LOST)),
        since=time.time(),
    )
    keep_warm(process, warm)


def _traces(settings: WorkerSettings, on_lost: Callable[[int], None]) -> Traces:
    """Return where the spans of this process go, the framework's included."""
    traces = open_traces(settings, "worker", on_lost)
    provider = traces.provider()
    if provider is not None:
        # What it puts into them is looked at twice: telemetry/span_rules.py.
        set_tracer_provider(provider, allow_pii=False)
    return traces


def _is_no_unheard_stream(record: logging.LogRecord) -> bool:
    """Pass over what the WebRTC library says of each stream that nobody reads (livekit 1.1.21).

    It says so on the root logger, with the topic, which is whatever its sender likes, and as often.
    """
    return not str(record.msg).startswith(("ignoring text stream", "ignoring byte stream"))
