"""The time and the date, here and elsewhere."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from localvoice.brain import tools
from localvoice.brain.conversation import Turn
from localvoice.brain.reply import Call, Reply, Say
from localvoice.brain.skill import Skill
from localvoice.brain.skills.zones import find_zone, named_zone
from localvoice.brain.tools import Parameter, Tool

_TIME = re.compile(
    r"\bwhat(?:'s| is| was)? (?:the )?(?:current )?(?:local )?time\b|\bwhat time\b|\bthe time\b"
    r"|\bhow late is it\b|\btime is it\b|\bcurrent time\b|^time(?: now| please)?$|\bgot the time\b"
)
_DATE = re.compile(
    r"\bwhat(?:'s| is)? (?:the |today's )?(?:current )?(?:date|day)\b|\bwhat day\b|\btoday's date\b"
    r"|\bwhich day\b|\bwhat (?:year|month) is it\b|\bthe date\b"
)
_NOT_THE_CLOCK = re.compile(r"\btime (?:to|for|zone)\b|\b(?:first|last|next) time\b|\btimes\b")
_TELLS_TIME = re.compile(r"\btime\b|\bclock\b|\bdate\b")
_ZONE = re.compile(r"zone|\btz\b")
_PLACE = re.compile(r"city|place|location|country|where")


def answer(turn: Turn) -> Reply | None:
    """Ask the request's own clock if it has one, else look at ours."""
    wants_time = _TIME.search(turn.words) and not _NOT_THE_CLOCK.search(turn.words)
    wants_date = _DATE.search(turn.words)
    if not (wants_time or wants_date):
        return None
    for tool in turn.tools:
        if _TELLS_TIME.search(tool.name.lower().replace("_", " ")):
            return Call(tool.name, _arguments(tool, turn))
    place, zone = _zone(turn) or (None, None)
    moment = turn.clock(ZoneInfo(zone) if zone else None)
    where = f" in {place}" if place else ""
    if wants_time:
        return Say(f"It is {say_time(moment)}{where}.")
    return Say(f"Today is {say_date(moment)}{where}.")


def _zone(turn: Turn) -> tuple[str, str] | None:
    if (written := named_zone(turn.heard)) is not None:
        return written.rpartition("/")[2].replace("_", " "), written
    return find_zone(turn.words)


def _arguments(tool: Tool, turn: Turn) -> dict[str, Any]:
    place, zone = _zone(turn) or (None, None)
    arguments: dict[str, Any] = {}
    for parameter in tool.parameters:
        value = _argument(parameter, place, zone)
        if value is None and "null" in parameter.kinds:
            arguments[parameter.name] = None
        elif value is not None:
            arguments[parameter.name] = value
        elif _ZONE.search(parameter.about) and parameter.required:
            arguments[parameter.name] = turn.zone_name
        elif parameter.required:
            one = Tool(
                tool.name,
                "",
                {"properties": {parameter.name: parameter.schema}, "required": [parameter.name]},
            )
            arguments |= tools.fill(one, turn.heard, forced=True)
    return arguments


def _argument(parameter: Parameter, place: str | None, zone: str | None) -> str | None:
    wanted = None
    if _ZONE.search(parameter.about):
        wanted = zone
    elif _PLACE.search(parameter.about):
        wanted = place
    if wanted is None or not parameter.choices:
        return wanted
    return next((c for c in parameter.choices if isinstance(c, str) and c in {zone, place}), None)


def say_time(moment: datetime) -> str:
    """``3:05 PM``, as Piper reads it well."""
    hour = moment.hour % 12 or 12
    half = "AM" if moment.hour < 12 else "PM"
    return f"{hour}:{moment.minute:02} {half}" if moment.minute else f"{hour} {half}"


def say_date(moment: datetime) -> str:
    """``Tuesday, November 24, 2026``."""
    return f"{moment:%A}, {moment:%B} {moment.day}, {moment.year}"


def say_moment(moment: datetime) -> str:
    """Time and date together."""
    return f"{say_time(moment)} on {say_date(moment)}"


SKILL = Skill(
    "clock", ("What time is it?", "What's the date today?", "What time is it in Tokyo?"), answer
)
