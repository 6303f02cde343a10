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
                # Whatever the server has put there.
                heard.text = clean(str(heard.text or ""), MAX_HEARD_CHARS)
            yield event

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[Tool], model_settings: ModelSettings
    ) -> AsyncIterator[ChatChunk | str | FlushSentinel]:
        """Think."""
        shorten(chat_ctx)
        half = ""
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            if isinstance(chunk, ChatChunk) and chunk.delta is not None:
                if chunk.delta.content:
                    chunk.delta.content, half = whole(half + chunk.delta.content)
                for call in chunk.delta.tool_calls:
                    call.name, call.arguments = mended(call.name), mended(call.arguments)
                    call.call_id = mended(call.call_id)
            yield chunk


def whole(text: str) -> tuple[str, str]:
    """Return a piece of an answer without broken characters, and the half one at its end.

    A model may send the halves of a character apart.
    """
    half = text[-1] if "\ud800" <= text[-1:] <= "\udbff" else ""
    return mended(text.removesuffix(half)), half


def mended(text: str) -> str:
    """Return a text without half characters."""
    return clean(text, len(text))


def shorten(context: ChatContext) -> None:
    """Leave out the beginning of a conversation that got too long.

    Instructions stay, and so does what the user said last, with all that tools have said to it.
    """
    left, count, is_asked = MAX_CONTEXT_CHARS, 0, False
    for item in reversed(context.items):
        left -= _chars(item)
        if left < 0 and is_asked:
            break
        count += 1
        is_asked = is_asked or (item.type == "message" and item.role == "user")
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
