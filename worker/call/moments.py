"""What happens once in the life of an agent."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Moment(StrEnum):
    """What happens once in the life of an agent, in this order if all goes well."""

    RECEIVED = "received"  # LiveKit asked the worker
    ACCEPTED = "accepted"
    ASSIGNED = "assigned"  # the room's token came
    LAUNCHED = "launched"  # a process was given the job
    ENTERED = "entered"  # our code runs
    CLAIMED = "claimed"
    JOINED = "joined"  # the agent is in the room
    PUBLISHED = "published"  # its track can be heard
    USER_JOINED = "user_joined"
    GREETED = "greeted"  # it began to speak for the first time
    USER_SPOKE = "user_spoke"  # the first word of the user


def could_speak_ms(moments_ms: Mapping[Moment, int]) -> int | None:
    """Return when the agent could be heard, and somebody was there to hear it; None before."""
    heard, there = (moments_ms.get(one) for one in (Moment.PUBLISHED, Moment.USER_JOINED))
    return None if heard is None or there is None else max(heard, there)
