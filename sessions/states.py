"""The states of a session and who may take it from one to the next.

This table is the law, and docs/states.md draws it. The Lua scripts are the only writers of a
session's status, and a test drives every write in every state against a real Redis and compares
the edges taken with the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a session stands; docs/states.md draws what follows what."""

    QUEUED = "queued"  # over capacity: holds a place in line, not a slot
    STARTING = "starting"  # holds a slot; an agent was sent for, or is about to be
    READY = "ready"  # the agent claimed the session and its audio track is published
    ACTIVE = "active"  # the user is in the room too
    RECOVERING = "recovering"  # the agent is lost, another is being sent; holds its slot
    ENDING = "ending"  # over, slot free; the room is being closed
    ENDED = "ended"  # over, as somebody wished
    FAILED = "failed"  # over, and nobody wished it; `error` says why
    EXPIRED = "expired"  # over before it began: nobody asked for the place in line any more


class Actor(StrEnum):
    AGENT = "agent"  # the job process, fenced by its epoch
    API = "api"  # the owner or an admin, through the HTTP API
    LIVEKIT = "livekit"  # a webhook of the media server
    QUEUE = "queue"  # whichever script sees a free slot or a lapsed ticket
    SUPERVISOR = "supervisor"  # the loops that find what went wrong
    WORKER = "worker"  # the parent of the job processes, which sees them die


#: Waits for a slot.
WAITING = frozenset({State.QUEUED})
#: Holds a slot.
HOLDING = frozenset({State.STARTING, State.READY, State.ACTIVE, State.RECOVERING})
LIVE = WAITING | HOLDING
#: Nothing changes it any more.
TERMINAL = frozenset({State.ENDED, State.FAILED, State.EXPIRED})
#: Nobody talks any more.
OVER = TERMINAL | {State.ENDING}

_CAN_END = frozenset({Actor.AGENT, Actor.API, Actor.LIVEKIT, Actor.SUPERVISOR})
_CAN_LOSE = frozenset({Actor.AGENT, Actor.SUPERVISOR, Actor.WORKER})
_CAN_CLOSE = frozenset({Actor.AGENT, Actor.API, Actor.LIVEKIT, Actor.SUPERVISOR})

TRANSITIONS: Mapping[State, Mapping[State, frozenset[Actor]]] = MappingProxyType(
    {
        State.QUEUED: {
            State.STARTING: frozenset({Actor.QUEUE}),
            State.EXPIRED: frozenset({Actor.QUEUE}),
            # With nobody in the room there is no room to close.
            State.ENDED: _CAN_END,
            State.FAILED: frozenset({Actor.AGENT, Actor.API, Actor.SUPERVISOR}),
            # The user waits in the room (LiveKit's standard token).
            State.ENDING: _CAN_END | {Actor.QUEUE},
        },
        State.STARTING: {
            State.READY: frozenset({Actor.AGENT}),
            # The user was there before the agent.
            State.ACTIVE: frozenset({Actor.AGENT}),
            # No agent came: another is sent, under the next epoch.
            State.STARTING: _CAN_LOSE,
            State.ENDING: _CAN_END | _CAN_LOSE,
        },
        State.READY: {
            State.ACTIVE: frozenset({Actor.AGENT, Actor.LIVEKIT}),
            State.RECOVERING: _CAN_LOSE,
            State.ENDING: _CAN_END | _CAN_LOSE,
        },
        State.ACTIVE: {
            State.RECOVERING: _CAN_LOSE,
            State.ENDING: _CAN_END | _CAN_LOSE,
        },
        State.RECOVERING: {
            State.READY: frozenset({Actor.AGENT}),
            State.ACTIVE: frozenset({Actor.AGENT}),
            # The replacement did not come, either.
            State.RECOVERING: _CAN_LOSE,
            State.ENDING: _CAN_END | _CAN_LOSE,
        },
        State.ENDING: {
            State.ENDED: _CAN_CLOSE,
            State.FAILED: _CAN_CLOSE,
            State.EXPIRED: _CAN_CLOSE,
        },
        State.ENDED: {},
        State.FAILED: {},
        State.EXPIRED: {},
    }
)
