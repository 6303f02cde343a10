"""The honest end of the list."""

from __future__ import annotations

import re

from localvoice.brain.conversation import Turn
from localvoice.brain.reply import Reply, Say
from localvoice.brain.skill import Skill

#: More than this is not read back. Characters.
_MAX_ECHO_CHARS = 200
_WORD = re.compile(r"\w")


def answer(turn: Turn) -> Reply | None:
    """Say what this is, and what was heard."""
    if not _WORD.search(turn.heard):
        return None
    heard = " ".join(turn.heard.split())
    if len(heard) > _MAX_ECHO_CHARS:
        heard = heard[:_MAX_ECHO_CHARS].rsplit(" ", 1)[0] + ", and more"
    ending = "" if heard[-1:] in ".!?" else "."
    return Say(f"I am the offline demo and only know a few things. I heard: {heard}{ending}")


SKILL = Skill("echo", ("The quick brown fox jumps over the lazy dog.",), answer)
