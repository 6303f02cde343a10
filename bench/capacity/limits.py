"""What does not grow with the number of machines, and at how many sessions each of it is full.

Each is a line of arithmetic over what the part `store` measures, and over the defaults of settings;
none of them was reached. One fleet is one store: a REDIS_PREFIX in one Redis, and one leader.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.capacity.model import SHARED, Coefficients, Load, Machine, mean, sessions_on

#: CPU of Redis, on a busy server, for a heartbeat that no other travels with; for admit or end.
_BEAT_REDIS_S, _VERB_REDIS_S = 60e-6, 135e-6
#: Heartbeats (HEARTBEAT_INTERVAL_S), and what a talking agent writes besides: words, record, log.
_BEATS_PER_S, _WRITES_PER_S = 0.5, 0.5
#: admit, dispatch, claim, ready, join, end, closed, and what is logged and recorded with them.
_VERBS_PER_CALL = 12
#: To read one session: of Redis, of the leader, and of that without letting anything else run.
_READ_REDIS_S, _READ_LEADER_S, _READ_STILL_S = 5e-6, 36e-6, 8e-6
#: The leader reads all: two ways every RECONCILE_INTERVAL_S, and every UNSERVED_INTERVAL_S.
_READS_PER_S = 2 / 10 + 1 / 2
#: Each worker reads the list of all (AFFINITY) with each WORKER_HEARTBEAT_S.
_LOOKS_PER_S, _LISTED_REDIS_S = 1 / 0.5, 3e-6
#: Who says no word for longer has lost the office: nine tenths of LEADER_LEASE_S, less a pause.
_LEADER_STILL_S = 0.9 * 4 - 1
#: maxclients of Redis; connections of a process of calls; SESSIONS_PER_PROCESS.
_CLIENTS, _CLIENTS_PER_PROCESS, _SESSIONS_PER_PROCESS = 10_000, 4, 8
#: The defaults of ALL_STARTS_PER_MINUTE and MAX_SESSIONS, and the most that the latter may be.
_STARTS_PER_S, _SESSIONS, _MOST_SESSIONS = 600 / 60, 50, 100_000
#: One core: what a single thread has.
_FULL = 1.0
_LEADER = _FULL / (_READS_PER_S * _READ_LEADER_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Something that there is once in a fleet, and at how many sessions it is full."""

    name: str
    sessions: float
    remedy: str


def limits(load: Load, machine: Machine, known: Coefficients = SHARED) -> Sequence[Limit]:
    """Return them in the order in which they break, for calls of this kind."""
    per_worker = max(1, sessions_on(machine, known.worker, load))
    tokenserver_s = known.tokenserver_start_cpu_s
    found = (
        ("MAX_SESSIONS, default", _SESSIONS, "set it, and QUEUE_LIMIT"),
        ("MAX_SESSIONS, highest", _MOST_SESSIONS, "another fleet"),
        ("ALL_STARTS_PER_MINUTE, default", load.held(_STARTS_PER_S), "set it"),
        ("token server: one process", load.held(_FULL / tokenserver_s), "more of them"),
        (
            "Redis: maxclients, default",
            _CLIENTS / _CLIENTS_PER_PROCESS * _SESSIONS_PER_PROCESS,
            "set it",
        ),
        ("Redis: one core", _until_full(load, per_worker), "AFFINITY=false for workers"),
        ("Redis: one core, no AFFINITY", _FULL / redis_s(load), "another fleet"),
        (
            "leader: one core",
            _LEADER,
            "longer RECONCILE_ and UNSERVED_INTERVAL_S",
        ),
        (
            "leader: stands still while it reads",
            _LEADER_STILL_S / _READ_STILL_S,
            "longer LEADER_LEASE_S",
        ),
    )
    ordered = sorted(found, key=lambda one: one[1])
    return [Limit(name=name, sessions=count, remedy=remedy) for name, count, remedy in ordered]


def sessions_of_fleet(load: Load, machine: Machine) -> int:
    """Return how many one store holds, its core filled as a machine may be, and the leader's."""
    return math.floor(min(_MOST_SESSIONS, machine.fill * min(_LEADER, _FULL / redis_s(load))))


def redis_s(load: Load) -> float:
    """Return the CPU seconds of Redis that a session takes a second, on a busy server."""
    beats = _BEATS_PER_S * _BEAT_REDIS_S
    writes = mean(load, 0.0, 0.0, _WRITES_PER_S) * _BEAT_REDIS_S
    verbs = _VERBS_PER_CALL * _VERB_REDIS_S / load.seconds_per_call
    return beats + writes + verbs + _READS_PER_S * _READ_REDIS_S


def _until_full(load: Load, per_worker: int) -> float:
    """Return how many fill a core of Redis while each worker reads the list of all of them.

    That grows with the square of the workers: a x n + b x n^2 = 1, solved for n.
    """
    a, b = redis_s(load), _LOOKS_PER_S * _LISTED_REDIS_S / per_worker**2
    return (math.sqrt(a * a + 4 * b * _FULL) - a) / (2 * b)
