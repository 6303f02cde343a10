"""The plain worker of the race: `python -m bench.race.plain_side start`.

As LiveKit's starter has it, with the framework's defaults: its load function and threshold, one
process for each call. Only these are set: the number of warm processes, where the models are, and
that turns are taken by VAD, so that neither a cloud nor a model of turns is asked. The framework
takes the agent's name from LIVEKIT_AGENT_NAME.
"""

from __future__ import annotations

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, JobProcess, cli, inference
from livekit.plugins import openai

from bench.race.words import GREETING, INSTRUCTIONS
from devstack.settings import process_environment

_env = process_environment()


def prewarm(process: JobProcess) -> None:
    """Load what all calls of a process use."""
    process.userdata["vad"] = inference.VAD(model="silero")


server = AgentServer(
    host="127.0.0.1",
    port=int(_env.get("WORKER_PORT", "0")),
    num_idle_processes=int(_env.get("POOL_SIZE", "3")),
)
server.setup_fnc = prewarm


@server.rtc_session()
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


if __name__ == "__main__":
    cli.run_app(server)
