"""Calls a tool whose name was said, when the turn also says what it needs."""

from __future__ import annotations

from localvoice.brain import tools
from localvoice.brain.conversation import Turn
from localvoice.brain.reply import Call, Reply
from localvoice.brain.skill import Skill


def answer(turn: Turn) -> Reply | None:
    """Have "What is the weather in Paris?" call ``get_weather`` with Paris."""
    tool = tools.best_match(turn.words, turn.tools)
    if tool is None:
        return None
    try:
        return Call(tool.name, tools.fill(tool, turn.heard))
    except tools.Unfillable:
        return None


SKILL = Skill("any_tool", (), answer)
