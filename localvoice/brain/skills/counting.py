"""Counts, up and down."""

from __future__ import annotations

import re

from localvoice.brain import numbers
from localvoice.brain.conversation import Turn
from localvoice.brain.reply import Reply, Say
from localvoice.brain.skill import Skill

_ASKED = re.compile(r"\bcount(?:ing|down)?\b")
_DOWN = re.compile(r"\b(?:down|backwards?|countdown|reverse)\b")
_HIGHEST = 999
#: As many numbers as it will say in one go: about a minute and a half.
_MOST = 100
#: Numbers in one sentence; each sentence can be spoken, or interrupted, on its own.
_PER_SENTENCE = 10


def answer(turn: Turn) -> Reply | None:
    """From one to the number given, from the first to the second, or down to one."""
    if not _ASKED.search(turn.request):
        return None
    given = [int(value) for value in numbers.find(turn.request) if value.denominator == 1]
    if not given:
        return Say("Tell me how far, for example: count to ten.")
    down = _DOWN.search(turn.request) is not None
    first, last = _range(given, down=down)
    if max(first, last) > _HIGHEST:
        return Say(f"I only count up to {_HIGHEST}.")
    step = 1 if last >= first else -1
    said = list(range(first, last + step, step))
    text = _sentences(said[:_MOST])
    if len(said) > _MOST:
        text += " And so on. I will stop here."
    return Say(text)


def _range(given: list[int], *, down: bool) -> tuple[int, int]:
    if len(given) > 1:
        first, last = given[:2]
        return (max(first, last), min(first, last)) if down else (first, last)
    return (given[0], min(1, given[0])) if down else (min(1, given[0]), given[0])


def _sentences(values: list[int]) -> str:
    parts = [values[at : at + _PER_SENTENCE] for at in range(0, len(values), _PER_SENTENCE)]
    return " ".join(
        ", ".join(numbers.in_words(value) for value in part).capitalize() + "." for part in parts
    )


SKILL = Skill(
    "counting",
    ("Count to ten.", "Count from 5 to 9.", "Can you count down from five?", "Count to 40"),
    answer,
)
