"""Who are you, and what can you do?"""

from __future__ import annotations

import re

from localvoice.brain.conversation import Turn
from localvoice.brain.reply import Reply, Say
from localvoice.brain.skill import Skill

WHO = (
    "I am the offline demo of Voicefleet. I follow a script. There is no language model behind me, "
    "and nothing you say leaves this server."
)
CAN = (
    "I can tell the time, do sums, count, spell words, remember your name, repeat after you, "
    "and tell a story. For real conversations, connect a language model."
)
_WHO = re.compile(
    r"\b(?:who|what) are you\b|\bwho am i (?:talking|speaking) (?:to|with)\b"
    r"|\bwhat(?:'s| is) your name\b|\bintroduce yourself\b|\btell me about yourself\b"
    r"|\bare you (?:a|an|the)? ?(?:real |human|robot|bot|ai|machine|person|computer|language model)"
)
_CAN = re.compile(
    r"\bwhat (?:can|do) you (?:do|know|offer)\b|\bhow can you help\b|^help(?: me)?$"
    r"|\bwhat can i (?:ask|say)\b|\bwhat are you able\b"
)


def answer(turn: Turn) -> Reply | None:
    """Honest on both counts."""
    if _CAN.search(turn.words):
        return Say(CAN)
    return Say(WHO) if _WHO.search(turn.words) else None


SKILL = Skill("about", ("Who are you?", "What can you do?", "Are you a robot?"), answer)
