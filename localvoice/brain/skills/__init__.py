"""Everything the script can do, in the order it is tried.

To add a skill: write a module here with a ``SKILL`` and put it in the table. Its ``answer``
gets a ``Turn`` and returns ``Say``, ``Call``, or None when the turn is about something else.
"""

from __future__ import annotations

from localvoice.brain.skill import Skill
from localvoice.brain.skills import (
    about,
    any_tool,
    clock,
    counting,
    echo,
    farewell,
    greeting,
    names,
    presence,
    repeating,
    spelling,
    stories,
    sums,
    thanks,
)

#: First match wins. Narrow skills come first; ``echo`` takes whatever is left.
SKILLS: tuple[Skill, ...] = (
    repeating.SKILL,
    spelling.SKILL,
    counting.SKILL,
    clock.SKILL,
    names.SKILL,
    stories.SKILL,
    about.SKILL,
    presence.SKILL,
    sums.SKILL,
    any_tool.SKILL,
    farewell.SKILL,
    thanks.SKILL,
    greeting.SKILL,
    echo.SKILL,
)
