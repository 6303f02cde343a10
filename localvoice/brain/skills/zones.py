"""Which time zone a place is in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from zoneinfo import available_timezones

#: Places people name that no zone is named after.
_OTHER_PLACES = {
    "utc": "UTC",
    "gmt": "UTC",
    "greenwich": "UTC",
    "san francisco": "America/Los_Angeles",
    "california": "America/Los_Angeles",
    "seattle": "America/Los_Angeles",
    "las vegas": "America/Los_Angeles",
    "pacific time": "America/Los_Angeles",
    "mountain time": "America/Denver",
    "texas": "America/Chicago",
    "central time": "America/Chicago",
    "boston": "America/New_York",
    "washington": "America/New_York",
    "miami": "America/New_York",
    "atlanta": "America/New_York",
    "eastern time": "America/New_York",
    "montreal": "America/Toronto",
    "rio de janeiro": "America/Sao_Paulo",
    "uk": "Europe/London",
    "united kingdom": "Europe/London",
    "england": "Europe/London",
    "britain": "Europe/London",
    "france": "Europe/Paris",
    "germany": "Europe/Berlin",
    "munich": "Europe/Berlin",
    "hamburg": "Europe/Berlin",
    "frankfurt": "Europe/Berlin",
    "spain": "Europe/Madrid",
    "barcelona": "Europe/Madrid",
    "italy": "Europe/Rome",
    "milan": "Europe/Rome",
    "netherlands": "Europe/Amsterdam",
    "switzerland": "Europe/Zurich",
    "geneva": "Europe/Zurich",
    "greece": "Europe/Athens",
    "india": "Asia/Kolkata",
    "mumbai": "Asia/Kolkata",
    "delhi": "Asia/Kolkata",
    "bangalore": "Asia/Kolkata",
    "china": "Asia/Shanghai",
    "beijing": "Asia/Shanghai",
    "shenzhen": "Asia/Shanghai",
    "korea": "Asia/Seoul",
    "osaka": "Asia/Tokyo",
    "kyoto": "Asia/Tokyo",
    "abu dhabi": "Asia/Dubai",
    "south africa": "Africa/Johannesburg",
    "cape town": "Africa/Johannesburg",
    "new zealand": "Pacific/Auckland",
    "hawaii": "Pacific/Honolulu",
}
#: Zone names that are ordinary English words, or not places.
_NOT_PLACES = frozenset(
    {"center", "central", "east", "eastern", "general", "knox", "local", "mountain", "north",
     "pacific", "south", "troll", "west", "western", "zulu", "mexico general", "factory", "rail"}
)  # fmt: skip


@cache
def _places() -> Mapping[str, str]:
    """Place in lower case to IANA zone; empty but for the table where no zone data is installed."""
    places: dict[str, str] = {}
    for zone in sorted(available_timezones()):
        region, _, place = zone.rpartition("/")
        name = place.replace("_", " ").lower()
        # "America/Indiana/Knox" and the like would claim words; "EST5EDT" is no place.
        if region in {"Etc", "SystemV", "US", "posix"} or name in _NOT_PLACES or len(name) < 4:
            continue
        if name.isalpha() or " " in name:
            # "Asia/Tokyo" rather than the old alias "Japan"'s twin.
            places.setdefault(name, zone)
    return places | _OTHER_PLACES


def find_zone(words: str) -> tuple[str, str] | None:
    """The longest place named in ``words`` (plain text) and its zone."""
    tokens = words.split()
    for length in (3, 2, 1):
        for at in range(len(tokens) - length + 1):
            place = " ".join(tokens[at : at + length]).removesuffix("'s")
            if place in _places():
                said = place.upper() if len(place) <= 3 else place.title()
                return said, _places()[place]
    return None


def named_zone(text: str) -> str | None:
    """An IANA name written out in ``text``, such as ``Europe/Paris``."""
    for candidate in re.findall(r"\b[A-Za-z]+(?:/[A-Za-z_+-]+)+", text):
        if candidate in available_timezones():
            return str(candidate)
    return None
