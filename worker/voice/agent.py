"""Who the user talks to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from livekit.agents import Agent, FunctionTool

#: What the agent is doing while nobody should expect it to listen.
BUSY_STATES = frozenset({"thinking", "speaking"})
#: What has been played here is still on its way to the user's ear.
TO_THE_EAR_S = 0.4


class Assistant(Agent):
    """The agent: its instructions and what it can do."""

    def __init__(self, instructions: str, tools: Sequence[FunctionTool[..., Any]]) -> None:
        super().__init__(instructions=instructions, tools=[*tools])
