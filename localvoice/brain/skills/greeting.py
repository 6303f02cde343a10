"""Hello."""

from __future__ import annotations

import re

from localvoice.brain.conversation import Turn
from localvoice.brain.reply import Reply, Say
from localvoice.brain.skill import Skill

GREETING = (
    "Hello! I am the offline demo. Ask me for the time, a sum, or a story, or tell me your name."
)
_HELLO = re.compile(
    r"^(?:hello|hi|hey|howdy|greetings|good (?:morning|afternoon|evening|day))\b(?!.*\bwhat\b)"
)
_HOW = re.compile(r"\bhow (?:are|'re) you\b|\bhow is it going\b|\bhow's it going\b|\bwhat's up\b")


def answer(turn: Turn) -> Reply | None:
    """A greeting back; one sentence once the conversation is under way."""
    if _HOW.search(turn.words):
        return Say("I am running well, thank you. What can I do for you?")
    if not _HELLO.search(turn.words):
        return None
    if turn.said_before() is None:
        return Say(GREETING)
    return Say("Hello again! What can I do for you?")


SKILL = Skill("greeting", ("Hello!", "Good morning.", "Hi there, how are you?"), answer)
