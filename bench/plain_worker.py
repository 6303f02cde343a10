"""A worker as LiveKit's own starter has one, to compare with: `python -m bench.plain_worker start`.

Nothing is set but the number of warm processes, which would be the number of cores otherwise. Its
agent joins the room and says nothing. The framework takes its name from LIVEKIT_AGENT_NAME.
"""

from __future__ import annotations

from livekit.agents import AgentServer, JobContext, cli

from devstack.settings import process_environment

server = AgentServer(
    num_idle_processes=3,
    host="127.0.0.1",
    port=int(process_environment().get("WORKER_PORT", "0")),
)


@server.rtc_session()
async def join(ctx: JobContext) -> None:
    """Join the room, as an agent that then would greet its user."""
    await ctx.connect()


if __name__ == "__main__":
    cli.run_app(server)
