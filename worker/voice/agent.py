"""Who the user talks to; and what passes between the user and the models, within bounds.

The framework hands on whatever a model says. Half a character, as JSON can spell it, would end the
call: it cannot be sent to anybody any more, and it stays in the conversation. A conversation that
never ends would be sent whole with each turn.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import Any

from livekit import rtc
from livekit.agents import Agent, FlushSentinel, FunctionTool, ModelSettings
from livekit.agents.llm import ChatChunk, ChatContext, ChatItem, Tool
from livekit.agents.stt import SpeechEvent

from sessions.text import clean

#: What the agent is doing while nobody should expect it to listen.
BUSY_STATES = frozenset({"thinking", "speaking"})
#: What has been played here is still on its way to the user's ear.
TO_THE_EAR_S = 0.4
#: Of one sentence that was heard: more than five minutes of it.
MAX_HEARD_CHARS = 4_000
#: What the model is told of the conversation, besides its instructions: the end of it.
MAX_CONTEXT_CHARS = 96_000


class Assistant(Agent):
    """The agent: its instructions and what it can do."""

    def __init__(self, instructions: str, tools: Sequence[FunctionTool[..., Any]]) -> None:
        super().__init__(instructions=instructions, tools=[*tools])

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncIterator[SpeechEvent]:
        """Hear."""
        async for event in Agent.default.stt_node(self, audio, model_settings):
            for heard in event.alternatives:
                heard.text = clean(heard.text, MAX_HEARD_CHARS)
            yield event

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[Tool], model_settings: ModelSettings
    ) -> AsyncIterator[ChatChunk | str | FlushSentinel]:
        """Think."""
        shorten(chat_ctx)
        half = ""
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            if isinstance(chunk, ChatChunk) and chunk.delta is not None and chunk.delta.content:
                chunk.delta.content, half = whole(half + chunk.delta.content)
            yield chunk


def whole(text: str) -> tuple[str, str]:
    """Return a piece of an answer without broken characters, and the half one at its end.

    A model may send the halves of a character apart.
    """
    half = text[-1] if "\ud800" <= text[-1:] <= "\udbff" else ""
    text = text.removesuffix(half)
    return clean(text, len(text)), half


def shorten(context: ChatContext) -> None:
    """Leave out the beginning of a conversation that got too long; instructions stay."""
    left, count = MAX_CONTEXT_CHARS, 0
    for item in reversed(context.items):
        left -= _chars(item)
        if left < 0 and count:
            break
        count += 1
    context.truncate(max_items=count)


def _chars(item: ChatItem) -> int:
    match item.type:
        case "message":
            return len(item.text_content or "")
        case "function_call":
            return len(item.arguments)
        case "function_call_output":
            return len(item.output)
        case _:
            return 0
