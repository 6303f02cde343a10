"""Decides what to answer: the latest turn is shown to each skill until one takes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from localvoice.brain import results, tools
from localvoice.brain.conversation import Message, Turn, straight
from localvoice.brain.reply import Call, Reply, Say
from localvoice.brain.skills import SKILLS
from localvoice.brain.skills.farewell import BYE
from localvoice.brain.skills.greeting import GREETING

_SAY = re.compile(
    r'\b(?:say|tell (?:them|him|her|the user|the caller))\b[^"]{0,40}"([^"]+)"', re.IGNORECASE
)
_FAREWELL = re.compile(r"\b(?:say good-?bye|say bye|end the call|wish .{0,20} good)", re.IGNORECASE)
_GREET = re.compile(r"\b(?:greet|welcome|say hello|introduce)", re.IGNORECASE)

STILL_HERE = "I am still here. What would you like to do?"
NO_TEXT = "I can only work with words, and I got none. Could you say that again?"


@dataclass(frozen=True)
class Choice:
    """The request's ``tool_choice``. ``name`` goes with ``function``."""

    mode: Literal["none", "auto", "required", "function"] = "auto"
    name: str | None = None


def answer(turn: Turn, latest: Sequence[Message], choice: Choice) -> Reply:
    """The reply to a conversation; ``latest`` is what came after the user's last turn."""
    finished = _unanswered_results(latest)
    if finished:
        return Say(results.in_words(finished))
    if choice.mode in {"required", "function"} and turn.tools:
        return _insisted(turn, choice)
    if latest or not turn.heard:
        return _unprompted(turn, latest)
    return converse(turn)


def _unanswered_results(latest: Sequence[Message]) -> list[Message]:
    """Tool results that no assistant's words follow yet."""
    trailing = takewhile(lambda message: message.role != "assistant", reversed(latest))
    return [message for message in trailing if message.role == "tool"][::-1]


def converse(turn: Turn) -> Reply:
    """The first skill's answer to what the user said."""
    for skill in SKILLS:
        reply = skill.answer(turn)
        if reply is not None:
            return reply
    return Say(NO_TEXT)  # the last skill takes every turn with a word in it


def _insisted(turn: Turn, choice: Choice) -> Reply:
    """The request wants a call whatever was said: the fitting one, or the one it names."""
    if choice.mode == "function":
        tool = next(tool for tool in turn.tools if tool.name == choice.name)
    else:
        natural = converse(turn) if turn.heard else None
        if isinstance(natural, Call):
            return natural
        tool = tools.best_match(turn.words, turn.tools) or turn.tools[0]
    narrowed = Turn(turn.heard, turn.history, (tool,), turn.clock, turn.zone_name)
    natural = converse(narrowed) if turn.heard else None
    if isinstance(natural, Call):
        return natural
    return Call(tool.name, tools.fill(tool, turn.heard, forced=True))


def _unprompted(turn: Turn, latest: Sequence[Message]) -> Reply:
    """Nobody spoke: a framework asks for an opening, or for something to be said now."""
    wishes = [message.text for message in latest if message.role == "instructions"]
    if not turn.heard:
        wishes = wishes or turn.instructions()
    wish = wishes[-1] if wishes else ""
    if quoted := _SAY.search(straight(wish)):
        return Say(quoted.group(1).strip())
    spoke_before = turn.said_before() is not None or any(m.role == "assistant" for m in latest)
    if not spoke_before or (latest and _GREET.search(wish)):
        return Say(GREETING)
    if latest and _FAREWELL.search(wish):
        return Say(BYE)
    return Say(STILL_HERE)
