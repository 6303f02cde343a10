"""Repeat after me; say that again."""

from __future__ import annotations

import re

from localvoice.brain.conversation import Turn
from localvoice.brain.reply import Reply, Say
from localvoice.brain.skill import Skill

_AFTER_ME = re.compile(
    r"^.{0,30}?\b(?:repeat after me|repeat the words?|repeat this|say after me"
    r"|say the words?|please repeat)\b[\s:,.\"“-]*(?P<words>.*)$",
    re.IGNORECASE | re.DOTALL,
)
_SAY = re.compile(
    r"^(?:please |can you |could you |now |just )*say[\s:,]+(?P<words>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_AGAIN = re.compile(
    r"\b(?:say|repeat) (?:that|it)(?: again| once more)?\b|\bwhat did you (?:just )?say\b"
    r"|\b(?:once more|come again)\b|^(?:pardon|repeat|again|sorry)(?: me)?$|\bsay again\b"
    r"|\b(?:didn't|did not) (?:catch|hear|understand) (?:that|you)\b"
)


def answer(turn: Turn) -> Reply | None:
    """The words after the request, or the assistant's last ones."""
    if _AGAIN.search(turn.words):
        return Say(turn.said_before() or "I have not said anything yet.")
    match = _AFTER_ME.search(turn.heard) or _SAY.search(turn.heard.strip())
    if match is None:
        return None
    words = match["words"].strip().strip("\"“”'").strip()
    return Say(_sentence(words)) if words else Say("Go on, I will repeat it.")


def _sentence(words: str) -> str:
    words = words[0].upper() + words[1:]
    return words if words[-1] in ".!?" else f"{words}."


SKILL = Skill(
    "repeating",
    ("Repeat after me: the sky is blue.", "Say hello world.", "Can you say that again?"),
    answer,
)
