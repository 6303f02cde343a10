"""A tool's result in words that can be spoken."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from localvoice.brain.conversation import Message
from localvoice.brain.skills.clock import say_moment
from localvoice.brain.skills.farewell import BYE, is_ending

#: More of a result than this nobody wants read out. Characters.
_MAX_SPOKEN_CHARS = 600
_MAX_ITEMS = 8
#: So few words are a value, not a sentence.
_BARE_WORDS = 3
_SEPARATORS = re.compile(r"[_\s]+")
_FAILED = re.compile(r"^(?:an?\s+)?(?:internal\s+)?error\b", re.IGNORECASE)


def in_words(messages: Sequence[Message]) -> str:
    """One sentence or more for each result, in order."""
    return " ".join(_sentence(message) for message in messages)


def _sentence(message: Message) -> str:
    name = message.tool_name or ""
    if is_ending(name):
        return BYE
    text = message.text.strip()
    if _FAILED.match(text):
        return "Sorry, that did not work just now."
    if not text or text in {"null", "None", "ok", "OK", "true"}:
        return "Done."
    value = _parsed(text)
    if isinstance(value, str) and (moment := _moment(value)):
        return f"It is {moment}."
    said = _trim(_value_in_words(value))
    if len(said.split()) <= _BARE_WORDS and said[-1:] not in ".!?":
        said = f"It is {said}" if "time" in name else f"The answer is {said}"
    return said if said[-1:] in ".!?" else f"{said}."


def _parsed(text: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _value_in_words(value: Any, depth: int = 0) -> str:  # noqa: ANN401
    if depth > 3:
        return "and more"
    if isinstance(value, dict):
        said = [
            f"{_SEPARATORS.sub(' ', str(key))} is {_value_in_words(item, depth + 1)}"
            for key, item in list(value.items())[:_MAX_ITEMS]
        ]
        return ", ".join(said) or "nothing"
    if isinstance(value, list):
        said = [_value_in_words(item, depth + 1) for item in value[:_MAX_ITEMS]]
        return ", ".join(said) or "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "unknown"
    return _moment(str(value)) or str(value)


def _moment(text: str) -> str | None:
    """An ISO 8601 time the way people say it."""
    if not re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", text):
        return None
    try:
        return say_moment(datetime.fromisoformat(text))
    except ValueError:
        return None


def _trim(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_SPOKEN_CHARS else text[:_MAX_SPOKEN_CHARS].rsplit(" ", 1)[0]
