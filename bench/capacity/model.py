"""What a fleet takes for so many sessions: the formula, and the figures it is fed with.

Nothing is measured here, and nothing runs: arithmetic that an operator can do by hand. By Little's
law the sessions that are there are the starts a second times the seconds that a call lasts, so

    cores = machines x base + sessions x (cores of one that is there + CPU s of a start / seconds)

docs/capacity.md tells where each figure was measured, and which were not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_S_PER_MIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one session takes of one program: cores while it is there, CPU seconds at its ends.

    silent: no microphone. quiet: an open one, nobody speaks. talking: user and agent, in turns.
    """

    silent_cores: float
    quiet_cores: float
    talking_cores: float
    #: Start and end together.
    call_cpu_s: float
    session_mb: float
    #: Of the program without sessions.
    base_cores: float
    base_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """What is put into the formula. Workers with `ISOLATION=shared`."""

    worker: Cost = Cost(
        silent_cores=0.019,
        quiet_cores=0.08,
        talking_cores=0.10,
        call_cpu_s=0.7,
        session_mb=12,
        base_cores=0.02,
        base_mb=500,
    )
    livekit: Cost = Cost(
        silent_cores=0.006,
        quiet_cores=0.015,
        talking_cores=0.018,
        call_cpu_s=0.14,
        session_mb=4,
        base_cores=0.005,
        base_mb=60,
    )
    #: Lightly loaded; bench/capacity/limits.py has it for a busy one.
    redis: Cost = Cost(
        silent_cores=0.0002,
        quiet_cores=0.0002,
        talking_cores=0.0006,
        call_cpu_s=0.0086,
        session_mb=0.04,
        base_cores=0.005,
        base_mb=2,
    )
    tokenserver_start_cpu_s: float = 0.0027
    #: Media through a node, of user and agent together, with all headers: in one direction.
    silent_kbits: float = 5
    quiet_kbits: float = 140
    talking_kbits: float = 120


SHARED = Coefficients()


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Sessions at the same time, how long each lasts, and what share of them does what."""

    sessions: float
    #: Infinite: nobody comes or goes.
    minutes_per_call: float = math.inf
    talking: float = 0.5
    silent: float = 0.0

    def __post_init__(self) -> None:
        if self.sessions < 0 or self.minutes_per_call <= 0:
            raise ValueError("sessions cannot be fewer than none, calls not shorter than nothing")
        if min(self.talking, self.silent) < 0 or self.talking + self.silent > 1:
            raise ValueError("those who talk and those without a microphone are at most all")

    @property
    def quiet(self) -> float:
        """The share of those with an open microphone while nobody speaks."""
        return 1.0 - self.talking - self.silent

    @property
    def starts_per_s(self) -> float:
        """How many come, and how many go, each second (Little's law)."""
        return self.sessions / self.seconds_per_call

    @property
    def seconds_per_call(self) -> float:
        """How long a call lasts, on average."""
        return self.minutes_per_call * _S_PER_MIN

    def held(self, starts_per_s: float) -> float:
        """Return how many such calls are there at a time when so many begin (Little's law)."""
        return starts_per_s * self.seconds_per_call


def mean(load: Load, silent: float, quiet: float, talking: float) -> float:
    """Return what a session takes on average that takes so much in each of the three kinds."""
    return load.silent * silent + load.quiet * quiet + load.talking * talking


def session_cores(cost: Cost, load: Load) -> float:
    """Return the cores that a session takes of a program, its start and end included."""
    there = mean(load, cost.silent_cores, cost.quiet_cores, cost.talking_cores)
    return there + cost.call_cpu_s / load.seconds_per_call


def cores(cost: Cost, load: Load, programs: int = 1) -> float:
    """Return the cores that so many programs take, over which the sessions are spread."""
    return programs * cost.base_cores + load.sessions * session_cores(cost, load)


def memory_mb(cost: Cost, load: Load, programs: int = 1) -> float:
    """Return the memory that so many programs take."""
    return programs * cost.base_mb + load.sessions * cost.session_mb


def session_kbits(coefficients: Coefficients, load: Load) -> float:
    """Return what a node receives for a session, and sends again, in kbit/s."""
    one = coefficients
    return mean(load, one.silent_kbits, one.quiet_kbits, one.talking_kbits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a program runs on, alone, and how much of it may be in use at the busiest time."""

    cores: int = 8
    memory_mb: float = 16 * 1024
    fill: float = 0.7
    #: WORKER_CAPACITY may be no more.
    most_sessions: int = 1000
    #: The network card, each way. No more than `fill` of it.
    mbits: float = 1000


def sessions_on(machine: Machine, cost: Cost, load: Load, kbits: float = 0.0) -> int:
    """Return how many sessions of this kind a machine holds; 0 where the program does not fit."""
    room_cores = machine.cores * machine.fill - cost.base_cores
    room_mb = machine.memory_mb * machine.fill - cost.base_mb
    most = [room_cores / session_cores(cost, load), room_mb / cost.session_mb]
    if kbits:
        most.append(machine.mbits * 1000 * machine.fill / kbits)
    return max(0, min(machine.most_sessions, *(math.floor(one) for one in most)))


def machines(load: Load, sessions_each: int) -> int:
    """Return how many machines hold them. Raises ValueError where none holds any."""
    if sessions_each < 1:
        raise ValueError("a machine of this size holds no session")
    return math.ceil(load.sessions / sessions_each)
