"""The states of a session and who may take it from one to the next.

This table is the law: the Lua scripts are the only writers of a session's status, and a test
drives every pair of states against a real Redis and compares the outcome with the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    STARTING = "starting"  # holds a slot; a room exists and an agent was sent for
    READY = "ready"  # the agent claimed the session and its audio track is published
    ACTIVE = "active"  # the user is in the room too
    ENDED = "ended"  # over, as somebody wished
    FAILED = "failed"  # over, and nobody wished it; `error` says why


class Actor(StrEnum):
    AGENT = "agent"  # the job process, fenced by its epoch
    API = "api"  # the owner or an admin, through the HTTP API
    LIVEKIT = "livekit"  # a webhook of the media server
    SWEEPER = "sweeper"  # the loop that finds lapsed leases


LIVE = frozenset({State.STARTING, State.READY, State.ACTIVE})
TERMINAL = frozenset({State.ENDED, State.FAILED})

_CAN_END = frozenset({Actor.AGENT, Actor.API, Actor.LIVEKIT})
_CAN_FAIL = frozenset({Actor.AGENT, Actor.API, Actor.SWEEPER})

TRANSITIONS: Mapping[State, Mapping[State, frozenset[Actor]]] = MappingProxyType(
    {
        State.STARTING: {
            State.READY: frozenset({Actor.AGENT}),
            # The user was there before the agent.
            State.ACTIVE: frozenset({Actor.AGENT}),
            State.ENDED: _CAN_END,
            State.FAILED: _CAN_FAIL,
        },
        State.READY: {
            State.ACTIVE: frozenset({Actor.AGENT, Actor.LIVEKIT}),
            State.ENDED: _CAN_END,
            State.FAILED: _CAN_FAIL,
        },
        State.ACTIVE: {State.ENDED: _CAN_END, State.FAILED: _CAN_FAIL},
        State.ENDED: {},
        State.FAILED: {},
    }
)
