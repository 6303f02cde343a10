"""The plain agent with one tool, which blocks its event loop: `python -m … start`."""

from __future__ import annotations

import time

from livekit.agents import JobContext, cli, function_tool

from bench.plain_agent import hold_call, make_server
from tests.chaos.services import BLOCKED_S, BLOCKING_TOOL

server = make_server()


@function_tool(name=BLOCKING_TOOL)
async def think_hard() -> str:
    """Think about it, and let nobody else have a turn."""
    time.sleep(BLOCKED_S)  # noqa: ASYNC251 - that is what it is for
    return "done"


@server.rtc_session()
async def talk(ctx: JobContext) -> None:
    """Hold a call, with the tool."""
    await hold_call(ctx, [think_hard])


if __name__ == "__main__":
    cli.run_app(server)
