"""Remembers the caller's name: it is in the messages, so nothing has to be stored."""

from __future__ import annotations

import re

from localvoice.brain.conversation import MAX_HEARD_CHARS, Turn, straight
from localvoice.brain.reply import Reply, Say
from localvoice.brain.skill import Skill

_NAME = r"(?P<name>[^\W\d_][\w'-]{0,30}(?: [A-Z][\w'-]{0,30})?)"
_GIVEN = re.compile(
    r"\b(?:my name is|my name's|the name is|you can call me|call me|i am called)"
    rf"(?-i:\s+{_NAME})",
    re.IGNORECASE,
)
#: "I'm Ada." and nothing else after it; "I'm fine" is not a name, and is not capitalised.
_I_AM = re.compile(rf"\b[Ii](?:'m| am)\s+{_NAME}\s*[.!,]?\s*$")
_TOLD = re.compile(
    rf"\b(?:user|caller|customer)(?:'s)? (?:name is|is called|is named)(?-i:\s+{_NAME})",
    re.IGNORECASE,
)
_ASKED = re.compile(
    r"\b(?:what(?:'s| is)|do you (?:know|remember)|tell me|say|remember) my name\b"
    r"|\bwho am i\b(?! (?:talking|speaking))|\bwhat(?: did i say)? my name (?:is|was)\b"
)
_NOT_NAMES = frozenset(
    {
        "not", "a", "an", "the", "what", "so", "here", "there", "going", "fine", "good", "okay",
        "ok", "sorry", "it's", "back", "later", "when", "if",
    }
)  # fmt: skip


def answer(turn: Turn) -> Reply | None:
    """Tell the name when asked; be pleased to meet who just gave one."""
    if _ASKED.search(turn.words):
        name = known_name(turn)
        if name is None:
            return Say("You have not told me your name yet.")
        return Say(f"Your name is {name}.")
    given = _given_in(turn.heard)
    return Say(f"Nice to meet you, {given}.") if given else None


def known_name(turn: Turn) -> str | None:
    """The last name the user gave, else the one the instructions mention."""
    for text in turn.user_texts():
        if (name := _given_in(text)) is not None:
            return name
    for text in reversed(turn.instructions()):
        if told := _TOLD.search(straight(text)):
            return _proper(told["name"])
    return None


def _given_in(text: str) -> str | None:
    text = straight(text[:MAX_HEARD_CHARS])
    # A question about the name is not an introduction.
    if "?" in text and _ASKED.search(text.lower()):
        return None
    # The last one counts: "my name is Bop, no, my name is Bob".
    match = max(_GIVEN.finditer(text), key=re.Match.start, default=None)
    if match is None:
        match = _I_AM.search(text)
        if match is None or not match["name"][0].isupper():
            return None
    if match["name"].split()[0].lower() in _NOT_NAMES:
        return None
    return _proper(match["name"])


def _proper(name: str) -> str:
    first, *rest = name.strip("'-").split()
    return " ".join([first[0].upper() + first[1:], *(word for word in rest if word[0].isupper())])


SKILL = Skill(
    "names",
    ("My name is Ada.", "What is my name?", "I'm Grace.", "Do you remember my name?"),
    answer,
)
