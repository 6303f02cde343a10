"""Who the user talks to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from livekit.agents import Agent, ChatContext, FunctionTool


class Assistant(Agent):
    """The agent: its instructions, what it can do, and what has been said before."""

    def __init__(
        self,
        instructions: str,
        tools: Sequence[FunctionTool[..., Any]],
        chat_ctx: ChatContext | None = None,
    ) -> None:
        super().__init__(
            instructions=instructions,
            tools=[*tools],
            chat_ctx=chat_ctx,
        )
