"""You are welcome."""

from __future__ import annotations

import re

from localvoice.brain.conversation import Turn
from localvoice.brain.reply import Reply, Say
from localvoice.brain.skill import Skill

_THANKS = re.compile(r"\b(?:thank you|thanks|thank u|cheers|much appreciated)\b")


def answer(turn: Turn) -> Reply | None:
    """Polite, and short."""
    return Say("You are welcome. Anything else?") if _THANKS.search(turn.words) else None


SKILL = Skill("thanks", ("Thank you.", "Thanks a lot!"), answer)
