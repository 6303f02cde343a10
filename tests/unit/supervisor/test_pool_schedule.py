"""Known peaks: which days, from when till when, over midnight and the end of the week."""

from __future__ import annotations

from datetime import datetime

import pytest
from pydantic import ValidationError

from supervisor.pool_schedule import Schedule
from supervisor.settings import SupervisorSettings

#: A Monday.
MONDAY = 1


def settings(**changes: object) -> SupervisorSettings:
    keys = {"livekit_api_key": "devkey", "livekit_api_secret": "s" * 32}
    return SupervisorSettings.model_validate({**keys, **changes})


def at(day: int, clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-06-{day:02d}T{clock}")


@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        ("mon-fri 08:45-10:00 12", at(MONDAY, "08:45"), 12),
        ("mon-fri 08:45-10:00 12", at(MONDAY, "08:44:59"), 0),
        ("mon-fri 08:45-10:00 12", at(MONDAY, "10:00"), 0),
        ("mon-fri 08:45-10:00 12", at(MONDAY + 4, "09:00"), 12),
        ("mon-fri 08:45-10:00 12", at(MONDAY + 5, "09:00"), 0),
        ("sat,sun 20:00-23:00 30", at(MONDAY + 6, "22:59:59.9"), 30),
        ("Mon 9:00-10:00 1", at(MONDAY, "09:30"), 1),
        ("daily 00:00-24:00 4", at(MONDAY + 2, "23:59:59"), 4),
        ("fri-mon 12:00-13:00 5", at(MONDAY, "12:30"), 5),
        ("fri-mon 12:00-13:00 5", at(MONDAY + 1, "12:30"), 0),
        ("fri-mon 12:00-13:00 5", at(MONDAY + 6, "12:30"), 5),
        ("fri 22:00-02:00 7", at(MONDAY + 4, "23:00"), 7),
        ("fri 22:00-02:00 7", at(MONDAY + 5, "01:59"), 7),
        ("fri 22:00-02:00 7", at(MONDAY + 5, "02:00"), 0),
        ("fri 22:00-02:00 7", at(MONDAY + 4, "01:00"), 0),
        ("daily 08:00-18:00 2; mon 09:00-10:00 9", at(MONDAY, "09:30"), 9),
        ("daily 08:00-18:00 2; mon 09:00-10:00 9", at(MONDAY, "10:30"), 2),
        ("", at(MONDAY, "09:30"), 0),
        (" ; ", at(MONDAY, "09:30"), 0),
    ],
)
def test_a_peak_holds_when_it_is_scheduled(text: str, moment: datetime, expected: int) -> None:
    assert Schedule.parse(text).least_at(moment) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mon 9-10 3", "'days from-to size'"),
        ("mon 09:00-10:00", "'days from-to size'"),
        ("mon 09:00-10:00 -3", "'days from-to size'"),
        ("monday 09:00-10:00 3", "'monday' is no day"),
        ("mon- 09:00-10:00 3", "is no day"),
        ("mon 25:00-26:00 3", "'25:00' is no time of day"),
        ("mon 09:60-10:00 3", "'09:60' is no time of day"),
        ("mon 09:00-09:00 3", "ends when it begins"),
        ("mon 09:00-10:00 3;" * 101, "no more than 100"),
    ],
)
def test_what_cannot_be_read_is_told_at_the_start(text: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("(", "\\(")):
        settings(pool_schedule=text)


def test_more_than_the_most_is_told_at_the_start() -> None:
    with pytest.raises(ValidationError, match="POOL_SCHEDULE asks for more than POOL_MAX_SIZE"):
        settings(pool_schedule="mon 09:00-10:00 21")
    assert settings(pool_schedule="mon 09:00-10:00 21", pool_max_size=21).pool_max_size == 21


def test_a_zone_that_does_not_exist_is_told_at_the_start() -> None:
    with pytest.raises(ValidationError, match="no such time zone"):
        settings(pool_schedule_zone="Europe/Atlantis")
    with pytest.raises(ValidationError, match="no such time zone"):
        settings(pool_schedule_zone="../../etc/passwd")


def test_the_most_is_no_less_than_the_least() -> None:
    with pytest.raises(ValidationError, match="POOL_MAX_SIZE must not be less"):
        settings(pool_min_size=5, pool_max_size=4)
