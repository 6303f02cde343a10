"""Who the user talks to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from livekit.agents import Agent, FunctionTool


class Assistant(Agent):
    """The agent: its instructions and what it can do."""

    def __init__(self, instructions: str, tools: Sequence[FunctionTool[..., Any]]) -> None:
        super().__init__(instructions=instructions, tools=[*tools])
