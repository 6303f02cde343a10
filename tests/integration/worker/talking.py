"""Waits of tests that type and read: what the agent said, what the model was asked."""

from __future__ import annotations

from typing import Any

from devstack.talk.caller import Caller
from tests.integration.worker.fleet import CALL_S
from tests.support.provider import Provider, Stage
from tests.support.wait import eventually


async def until_said(caller: Caller, words: str, deadline_s: float = CALL_S) -> None:
    """Wait until the agent has said this, as its transcript tells."""

    async def is_said() -> bool:
        return any(words in line.text for line in caller.lines if line.speaker == "agent")

    await eventually(is_said, deadline_s, message=words)


def chats(provider: Provider) -> list[list[dict[str, Any]]]:
    """Return the messages of each request to the model."""
    return [asked.body["messages"] for asked in provider.requests(Stage.CHAT)]


def spoken(provider: Provider) -> list[str]:
    """Return what the agent wanted to be spoken, but for what it has as a clip."""
    return [str(asked.body["input"]) for asked in provider.requests(Stage.SPEECH)]


def said_by(messages: list[dict[str, Any]], role: str) -> str:
    """Return all that one side said in a request."""
    return " ".join(str(one["content"]) for one in messages if one["role"] == role)
