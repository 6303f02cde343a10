"""Can you hear me?"""

from __future__ import annotations

import re

from localvoice.brain.conversation import Turn
from localvoice.brain.reply import Reply, Say
from localvoice.brain.skill import Skill

_HEAR = re.compile(
    r"\b(?:can|do|could) you (?:still )?hear me\b|\bare you (?:still )?(?:there|listening)\b"
    r"|^(?:testing|test|mic check)\b"
)


def answer(turn: Turn) -> Reply | None:
    """What somebody says first on a line that may be dead."""
    return Say("Yes, I can hear you.") if _HEAR.search(turn.words) else None


SKILL = Skill("presence", ("Can you hear me?", "Are you still there?"), answer)
