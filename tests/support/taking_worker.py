"""A worker whose agents join and say nothing: `python -m tests.support.taking_worker start`.

It takes jobs however busy the machine is, which the framework's own would decline. Its name comes
from LIVEKIT_AGENT_NAME.
"""

from __future__ import annotations

from livekit.agents import AgentServer, JobContext, cli

from devstack.settings import process_environment


def _no_load() -> float:
    return 0.0


server = AgentServer(
    num_idle_processes=1,
    host="127.0.0.1",
    port=int(process_environment().get("WORKER_PORT", "0")),
    load_threshold=float("inf"),
    # LiveKit gives no job to a worker that says it has no CPU left.
    load_fnc=_no_load,
)


@server.rtc_session()
async def join(ctx: JobContext) -> None:
    """Join the room, and stay until it is closed."""
    await ctx.connect()


if __name__ == "__main__":
    cli.run_app(server)
