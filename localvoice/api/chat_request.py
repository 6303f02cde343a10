"""A chat request as OpenAI's clients send it, and what the script sees of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from localvoice.brain.conversation import MAX_HEARD_CHARS, Message, Role
from localvoice.brain.script import Choice
from localvoice.brain.tools import Tool

#: OpenAI's role names and what they mean here.
_ROLES: dict[str, Role] = {
    "system": "instructions",
    "developer": "instructions",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


class _Part(BaseModel):
    """Unknown fields are allowed everywhere: the API grows, and the script needs little of it."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class TextPart(_Part):
    """One part of a message; only text is understood, images and sound are passed over."""

    type: str
    text: str | None = None


class Function(_Part):
    """Either the description of a tool or a call to one."""

    name: str = Field(min_length=1, max_length=256)
    description: str | None = None
    parameters: dict[str, Any] | None = None
    arguments: str | None = None


class ToolEntry(_Part):
    """A listed tool (no id) or a made call. Custom tools have no function and are passed over."""

    id: str | None = None
    type: str = "function"
    function: Function | None = None


class ChatMessage(_Part):
    """One message."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[ToolEntry] | None = None

    def text(self) -> str:
        """The words of the message, without anything else it carries."""
        if isinstance(self.content, str):
            return self.content
        return " ".join(part.text for part in self.content or () if part.text)


class StreamOptions(_Part):
    """How to stream."""

    include_usage: bool | None = None


class ChosenFunction(_Part):
    """``{"type": "function", "function": {"name": …}}``."""

    type: Literal["function"]
    function: Function


class ChatRequest(_Part):
    """The body; sampling options are accepted and mean nothing to a script."""

    messages: list[ChatMessage] = Field(min_length=1)
    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[ToolEntry] | None = None
    tool_choice: Literal["none", "auto", "required"] | ChosenFunction | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    stop: str | list[str] | None = None
    n: int | None = Field(None, ge=1, le=1)

    @model_validator(mode="after")
    def _choice_is_listed(self) -> ChatRequest:
        names = [tool.name for tool in self._listed()]
        if self.tool_choice == "required" and not names:
            raise ValueError("tool_choice is required, but tools is empty")
        if isinstance(self.tool_choice, ChosenFunction) and (
            self.tool_choice.function.name not in names
        ):
            raise ValueError("tool_choice names a function that tools does not list")
        return self

    @property
    def token_limit(self) -> int | None:
        """The most tokens to answer with."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with its usage."""
        return self.stream_options is not None and self.stream_options.include_usage is True

    def _listed(self) -> list[Tool]:
        functions = [entry.function for entry in self.tools or () if entry.function is not None]
        return [Tool(f.name, f.description or "", f.parameters or {}) for f in functions]

    def usable_tools(self) -> list[Tool]:
        """The tools the script may call: none when the request says so."""
        return [] if self.tool_choice == "none" else self._listed()

    def choice(self) -> Choice:
        """Whether a call is wanted."""
        if isinstance(self.tool_choice, ChosenFunction):
            return Choice("function", self.tool_choice.function.name)
        return Choice(self.tool_choice or "auto")

    def turns(self) -> tuple[Sequence[Message], str, Sequence[Message]]:
        """What came before the user's last turn, that turn, and what came after it."""
        messages = self._messages()
        for at in range(len(messages) - 1, -1, -1):
            if messages[at].role == "user":
                heard = messages[at].text.strip()[:MAX_HEARD_CHARS]
                return messages[:at], heard, messages[at + 1 :]
        split = next(
            (at for at, item in enumerate(messages) if item.role != "instructions"), len(messages)
        )
        return messages[:split], "", messages[split:]

    def _messages(self) -> list[Message]:
        called: dict[str, str] = {}
        found: list[Message] = []
        for item in self.messages:
            for call in item.tool_calls or ():
                if call.id and call.function:
                    called[call.id] = call.function.name
            name = item.name or called.get(item.tool_call_id or "")
            found.append(Message(_ROLES[item.role], item.text(), tool_name=name))
        return found
