"""An agent as LiveKit's own starter has it, to compare with: `python -m bench.plain_agent start`.

Nothing is set but where its models are, how many warm processes it has, and that it takes calls on
a busy machine, too: what it declines says bench/burst.py. It answers what is typed, as the
framework does by itself. The framework takes the agent's name from LIVEKIT_AGENT_NAME.
"""

from __future__ import annotations

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, JobProcess, cli, inference
from livekit.plugins import openai

from devstack.settings import process_environment

_INSTRUCTIONS = "You are a helpful voice assistant. Your answers are short and to the point."
_GREETING = "Hello. How can I help you?"

_env = process_environment()
server = AgentServer(
    host="127.0.0.1",
    port=int(_env.get("WORKER_PORT", "0")),
    load_threshold=float("inf"),
    num_idle_processes=int(_env.get("POOL_SIZE", "3")),
)


def prewarm(process: JobProcess) -> None:
    """Load what all calls of a process use."""
    process.userdata["vad"] = inference.VAD(model="silero")


server.setup_fnc = prewarm


@server.rtc_session()
async def talk(ctx: JobContext) -> None:
    """Join the room, greet whoever is there, and answer."""
    session: AgentSession[None] = AgentSession(
        stt=openai.STT(base_url=_env["STT_BASE_URL"]),
        llm=openai.LLM(base_url=_env["LLM_BASE_URL"]),
        tts=openai.TTS(base_url=_env["TTS_BASE_URL"]),
        vad=ctx.proc.userdata["vad"],
    )
    await session.start(agent=Agent(instructions=_INSTRUCTIONS), room=ctx.room)
    await ctx.connect()
    session.say(_GREETING)


if __name__ == "__main__":
    cli.run_app(server)
