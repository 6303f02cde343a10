"""The time, anywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from livekit.agents import ToolError

#: The rest is for whoever else needs it, not for the model.
__all__ = ["current_time"]

_MAX_SUGGESTIONS = 3
#: Listed on some machines, and different on each.
_NOT_PLACES = {"Factory", "localtime", "posixrules"}


async def current_time(zone: str) -> str:
    """Tell the current date and time somewhere.

    Args:
        zone: IANA time zone, such as Europe/Paris, America/New_York or UTC.
    """
    return describe_time(datetime.now(UTC), zone)


def describe_time(moment: datetime, zone: str) -> str:
    """Return a moment in a time zone as a sentence. Raises ToolError for an unknown zone."""
    local = moment.astimezone(find_zone(zone))
    clock = f"{local.hour % 12 or 12}:{local:%M %p}"
    return f"It is {clock} on {local:%A}, {local:%B} {local.day}, {local.year} in {zone.strip()}."


def find_zone(name: str) -> ZoneInfo:
    """Return an IANA time zone. Raises ToolError with names that come close."""
    wanted = name.strip()
    # Only known names: anything else is looked for in the file system.
    if wanted in _known_zones():
        return ZoneInfo(wanted)
    close = _similar(wanted)
    hint = f" Did you mean {' or '.join(close)}?" if close else " Use one such as Europe/Paris."
    raise ToolError(f"{wanted[:64]!r} is not an IANA time zone.{hint}")


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones() - _NOT_PLACES)


def _similar(wanted: str) -> list[str]:
    """Return zones that hold the name of the place, shortest first."""
    place = wanted.rpartition("/")[2].strip().replace(" ", "_").lower()
    if len(place) < 3:
        return []
    matches = [zone for zone in _known_zones() if place in zone.lower()]
    return sorted(matches, key=lambda zone: (len(zone), zone))[:_MAX_SUGGESTIONS]
