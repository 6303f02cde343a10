"""Spells words so that the voice says letters."""

from __future__ import annotations

import re

from localvoice.brain.conversation import Turn
from localvoice.brain.reply import Reply, Say
from localvoice.brain.skill import Skill

_ASKED = re.compile(
    r"\b(?:spell|spelling of|spelled|how (?:do|would) (?:you|i) spell)\s+"
    r"(?:(?:out|me|the|word|name|for|it|like)\s+)*(?P<word>[\w'-]+)"
)
#: Longer words are no words. Characters.
_MAX_LETTERS = 40


def answer(turn: Turn) -> Reply | None:
    """Capitals behind a colon, with commas between.

    Of six ways to write it, Piper's letters were heard right most often like this: Whisper got
    40 of 40 readings of "cat" and "hello", and 0 of 10 with hyphens.
    """
    match = _ASKED.search(turn.words)
    if match is None:
        return None
    letters = [char for char in match["word"] if char.isalnum()]
    if len(letters) > _MAX_LETTERS:
        return Say("That is too long for me to spell.")
    if not letters:
        return None
    word = "".join(letters)
    return Say(f"The word {word} is spelled: {', '.join(word.upper())}.")


SKILL = Skill("spelling", ("Spell the word cat.", "How do you spell voice?"), answer)
