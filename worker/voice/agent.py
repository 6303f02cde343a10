"""Who the user talks to."""

from __future__ import annotations

from livekit.agents import Agent

from worker.tools import call, clock


class Assistant(Agent):
    """The agent: its instructions and what it can do."""

    def __init__(self, instructions: str) -> None:
        super().__init__(instructions=instructions, tools=[clock.current_time, call.end_call])
