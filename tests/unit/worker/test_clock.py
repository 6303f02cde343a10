"""The time, anywhere."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from livekit.agents import ToolError

from worker.tools.clock import describe_time, find_zone

MOMENT = datetime(2026, 1, 31, 23, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "sentence"),
    [
        ("UTC", "It is 11:05 PM on Saturday, January 31, 2026 in UTC."),
        (" Asia/Kolkata ", "It is 4:35 AM on Sunday, February 1, 2026 in Asia/Kolkata."),
        ("Europe/Paris", "It is 12:05 AM on Sunday, February 1, 2026 in Europe/Paris."),
    ],
)
def test_tells_the_time_in_a_zone(zone: str, sentence: str) -> None:
    assert describe_time(MOMENT, zone) == sentence


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("Paris", "Europe/Paris"),
        ("US/New York", "America/New_York"),
        ("Nowhere", "such as Europe/Paris"),
        ("", "such as Europe/Paris"),
        ("../../etc/passwd", "such as Europe/Paris"),
        ("/etc/localtime", "such as Europe/Paris"),
    ],
)
def test_an_unknown_zone_is_explained_to_the_model(wrong: str, hint: str) -> None:
    with pytest.raises(ToolError, match=hint):
        find_zone(wrong)
