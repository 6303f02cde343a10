"""An agent as LiveKit's own starter has it, to compare with: `python -m bench.plain_agent start`.

Nothing is set but where its models are, how many warm processes it has, and that it takes calls on
a busy machine, too: what it declines says bench/burst.py. It answers what is typed, as the
framework does by itself. The framework takes the agent's name from LIVEKIT_AGENT_NAME.
"""

from __future__ import annotations

from collections.abc import Sequence

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, JobProcess, cli, inference
from livekit.agents.llm import Tool
from livekit.plugins import openai

from devstack.settings import process_environment

_INSTRUCTIONS = "You are a helpful voice assistant. Your answers are short and to the point."
_GREETING = "Hello. How can I help you?"

_env = process_environment()


def prewarm(process: JobProcess) -> None:
    """Load what all calls of a process use."""
    process.userdata["vad"] = inference.VAD(model="silero")


def _no_load() -> float:
    return 0.0


def make_server() -> AgentServer:
    """Make a worker that has no entrypoint yet."""
    made = AgentServer(
        host="127.0.0.1",
        port=int(_env.get("WORKER_PORT", "0")),
        load_threshold=float("inf"),
        # LiveKit gives no job to a worker that says it has no CPU left.
        load_fnc=_no_load,
        num_idle_processes=int(_env.get("POOL_SIZE", "3")),
    )
    made.setup_fnc = prewarm
    return made


async def hold_call(ctx: JobContext, tools: Sequence[Tool] = ()) -> None:
    """Join the room, greet whoever is there, and answer."""
    session: AgentSession[None] = AgentSession(
        stt=openai.STT(base_url=_env["STT_BASE_URL"]),
        llm=openai.LLM(base_url=_env["LLM_BASE_URL"]),
        tts=openai.TTS(base_url=_env["TTS_BASE_URL"]),
        vad=ctx.proc.userdata["vad"],
    )
    agent = Agent(instructions=_INSTRUCTIONS, tools=[*tools])
    await session.start(agent=agent, room=ctx.room)
    await ctx.connect()
    session.say(_GREETING)


server = make_server()


@server.rtc_session()
async def talk(ctx: JobContext) -> None:
    """Hold a call, without any tool."""
    await hold_call(ctx)


if __name__ == "__main__":
    cli.run_app(server)
