"""The calls of workers that are as LiveKit's starter has them, whatever runs each call.

The framework's defaults: its load function and threshold. Only these are set: the number of warm
processes or threads, where the models are, and that turns are taken by VAD, so that neither a cloud
nor a model of turns is asked. The framework takes the agent's name from LIVEKIT_AGENT_NAME.

With RACE_TAKES_ALL a worker does not look at the load, for what is about calls that are there, and
not about those that it would take.
"""

from __future__ import annotations

from livekit.agents import (
    Agent,
    AgentServer,
    AgentSession,
    JobContext,
    JobExecutorType,
    JobProcess,
    inference,
)
from livekit.plugins import openai

from bench.race.words import GREETING, INSTRUCTIONS, TAKES_ALL
from devstack.settings import process_environment

_env = process_environment()


def prewarm(process: JobProcess) -> None:
    """Load what all calls of a process use."""
    process.userdata["vad"] = inference.VAD(model="silero")


def _no_load() -> float:
    return 0.0


async def hold_call(ctx: JobContext) -> None:
    """Join the room, greet whoever is there, and answer."""
    session: AgentSession[None] = AgentSession(
        stt=openai.STT(base_url=_env["STT_BASE_URL"]),
        llm=openai.LLM(base_url=_env["LLM_BASE_URL"]),
        tts=openai.TTS(base_url=_env["TTS_BASE_URL"]),
        vad=ctx.proc.userdata["vad"],
        turn_handling={"turn_detection": "vad", "interruption": {"mode": "vad"}},
    )
    await session.start(agent=Agent(instructions=INSTRUCTIONS), room=ctx.room)
    await ctx.connect()
    session.say(GREETING)


def make_server(executor: JobExecutorType, *, port: int) -> AgentServer:
    """Make the worker, whose calls are run in that way; port 0 is any free one."""
    made = AgentServer(
        job_executor_type=executor,
        host="127.0.0.1",
        port=port,
        num_idle_processes=int(_env.get("POOL_SIZE", "3")),
    )
    if _env.get(TAKES_ALL):
        made.update_options(load_threshold=float("inf"))
        made.load_fnc = _no_load
    made.setup_fnc = prewarm
    made.rtc_session(hold_call)
    return made
