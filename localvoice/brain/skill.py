"""What a skill is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from localvoice.brain.conversation import Turn
from localvoice.brain.reply import Reply

#: Returns None when the turn is about something else; the next skill is asked then.
Answer = Callable[[Turn], Reply | None]


@dataclass(frozen=True)
class Skill:
    """One thing the script can do, and what a caller says to get it.

    The examples are documentation and tests at once: each must reach its own skill.
    """

    name: str
    examples: tuple[str, ...]
    answer: Answer
