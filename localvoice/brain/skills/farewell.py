"""Goodbye, and hanging up when there is a tool for it."""

from __future__ import annotations

import re

from localvoice.brain import tools
from localvoice.brain.conversation import Turn
from localvoice.brain.reply import Call, Reply, Say
from localvoice.brain.skill import Skill
from localvoice.brain.tools import Tool

BYE = "Goodbye! It was nice talking to you."
_BYE = re.compile(
    r"\b(?:good ?bye|bye|bye-bye|see you(?: later| soon| tomorrow)?|farewell|talk to you later)\b"
    r"|\b(?:hang up|end (?:the|this) (?:call|conversation|session))\b"
    r"|\b(?:that is|that's|that will be|that'll be) all\b(?: for (?:now|today))?"
    r"|^(?:good night|i have to go|i'm done|i am done)\b"
)
#: Enough of a tool's description for its first sentence. Characters.
_MAX_DESCRIPTION_CHARS = 500
_NOT = re.compile(r"\b(?:not|never)\b|n't\b", re.IGNORECASE)
_ENDING = re.compile(
    r"\b(?:ends?|hangs?|finish(?:es)?|closes?|terminates?|leaves?)[ _]?"
    r"(?:up|(?:the[ _]|this[ _])?(?:current[ _])?(?:call|conversation|session|chat))"
)


def is_ending(name: str) -> bool:
    """Whether a tool of this name or description ends the call."""
    return _ENDING.search(name.lower().replace("_", " ")) is not None


def answer(turn: Turn) -> Reply | None:
    """Hang up through the tool if the request has one, else only say so."""
    if not _BYE.search(turn.words):
        return None
    for tool in turn.tools:
        if is_ending(tool.name) or _is_said_to_end(tool):
            return Call(tool.name, tools.fill(tool, turn.heard, forced=True))
    return Say(BYE)


def _is_said_to_end(tool: Tool) -> bool:
    """By its first sentence: later ones often say when *not* to use it."""
    sentence = tool.description[:_MAX_DESCRIPTION_CHARS].strip().split("\n")[0].split(". ")[0]
    return is_ending(sentence) and _NOT.search(sentence) is None


SKILL = Skill("farewell", ("Goodbye!", "That's all, bye.", "Please hang up now."), answer)
