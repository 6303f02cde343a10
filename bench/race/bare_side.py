"""The least that an agent of livekit-agents can be: `python -m bench.race.bare_side start`.

It joins the room, publishes a track and sounds a tone: no conversation, no models, no store, in a
thread of a process that has done all of that before. What a start takes of it is what LiveKit, its
SDK and the framework's way to a job take of any agent: the floor of the race, on the machine that
it is run on.
"""

from __future__ import annotations

import numpy as np
from livekit import rtc
from livekit.agents import AgentServer, JobContext, JobExecutorType, cli

from devstack.settings import process_environment
from worker.job.native import keep_native_log

_env = process_environment()
_RATE = 24_000
_FRAME = _RATE // 50
_HERTZ, _LEVEL = 300.0, 8_000
#: Longer than any user takes to subscribe.
_SOUNDS_S = 10


async def sound(ctx: JobContext) -> None:
    """Join, publish, and sound until somebody must have heard it."""
    source = rtc.AudioSource(_RATE, 1)
    track = rtc.LocalAudioTrack.create_audio_track("agent", source)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
    await ctx.connect()
    await ctx.room.local_participant.publish_track(track, options)
    wave = np.sin(2 * np.pi * _HERTZ / _RATE * np.arange(_FRAME)) * _LEVEL
    frame = rtc.AudioFrame(wave.astype(np.int16).tobytes(), _RATE, 1, _FRAME)
    for _ in range(_SOUNDS_S * _RATE // _FRAME):
        await source.capture_frame(frame)


def make_server() -> AgentServer:
    """Make the worker, which takes calls however busy the machine is."""
    made = AgentServer(
        job_executor_type=JobExecutorType.THREAD,
        host="127.0.0.1",
        port=int(_env.get("WORKER_PORT", "0")),
        num_idle_processes=int(_env.get("POOL_SIZE", "3")),
    )
    made.update_options(load_threshold=float("inf"))
    made.rtc_session(sound)
    return made


server = make_server()


if __name__ == "__main__":
    keep_native_log()
    cli.run_app(server)
