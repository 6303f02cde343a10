"""What a skill gets to see: the turn to answer, and what was said before it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import cached_property
from typing import Literal

from localvoice.brain.tools import Tool

Role = Literal["instructions", "user", "assistant", "tool"]

#: Only the beginning of a very long turn is listened to: skills search it many times. Characters.
MAX_HEARD_CHARS = 4000

#: Typeset characters that transcribers and chat clients write, as their plain ones.
_PLAIN_CHARS = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2013": "-",
        "\u2014": "-",
        "\u2212": "-",
        "\u00d7": "*",
        "\u00f7": "/",
    }
)
_NOT_WORDS = re.compile(r"[^\w\s'+*/%.,^=-]+")
_LOOSE_POINTS = re.compile(r"[.,](?!\d)|(?<!\d)[.,](?=\s)")
#: What callers put in front of a request and does not belong to it.
_OPENINGS = re.compile(
    r"^(?:(?:um+|uh+|well|so|ok|okay|hey|please|and|now|alright|all right|actually"
    r"|can you|could you|would you|will you|can i ask you to|i want you to|i'd like you to)\s+)+"
)


@dataclass(frozen=True)
class Message:
    """One message. ``tool_name`` is set on a tool's result."""

    role: Role
    text: str
    tool_name: str | None = None


@dataclass(frozen=True)
class Turn:
    """The user's latest turn, everything before it, and what may be used to answer."""

    heard: str
    history: Sequence[Message] = ()
    tools: Sequence[Tool] = ()
    #: The current time in a zone; None is the caller's own. Never naive.
    clock: Callable[[tzinfo | None], datetime] = field(
        default=lambda zone: datetime.now(zone).astimezone(zone)
    )
    #: IANA name of the caller's own zone, where it is known.
    zone_name: str = "UTC"

    @cached_property
    def words(self) -> str:
        """``heard`` in lower case, without punctuation that is not part of a number or sum."""
        return plain(self.heard)

    @cached_property
    def request(self) -> str:
        """``words`` without "um", "please" or "can you" in front."""
        return _OPENINGS.sub("", self.words)

    def said_before(self) -> str | None:
        """What the assistant said last, if anything."""
        for message in reversed(self.history):
            if message.role == "assistant" and message.text:
                return message.text
        return None

    def user_texts(self) -> list[str]:
        """What the user said, newest first, this turn included."""
        earlier = (item.text for item in reversed(self.history) if item.role == "user")
        return [self.heard, *earlier]

    def instructions(self) -> list[str]:
        """System and developer messages, in order."""
        return [item.text for item in self.history if item.role == "instructions"]


def plain(text: str) -> str:
    """Lower case, straight quotes, single spaces, no sentence punctuation."""
    text = straight(text[:MAX_HEARD_CHARS]).lower()
    text = _NOT_WORDS.sub(" ", text)
    return " ".join(_LOOSE_POINTS.sub(" ", text + " ").split())


def straight(text: str) -> str:
    """Typeset quotes, dashes and signs as the ones on a keyboard."""
    return text.translate(_PLAIN_CHARS)
