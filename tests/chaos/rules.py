"""What must hold at every moment: I1 to I7, I9, I10 and I12 of the invariants.

Each rule looks at one sight of the store and the one before it, and knows nothing of the fleet but
these. What takes time is counted only while Redis could be seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from sessions.ids import SessionId
from sessions.model import Session
from sessions.states import HOLDING, TRANSITIONS, State
from tests.chaos.sights import Finding, Held, RoomSight, Sight

_PREFERRED_SEEN_WITHIN_MS = 1_000


@dataclass(kw_only=True)
class Limits:
    """How long what may be for a while may be. A story whose fault takes longer says so."""

    starting_s: float = 15.0
    recovering_s: float = 30.0
    ending_s: float = 30.0
    two_agents_s: float = 5.0
    #: A free slot beside somebody who waits: one pass of the sweep, and a little.
    free_slot_s: float = 4.0


def slots_and_states(sight: Sight, capacity: int, grace_ms: int) -> Iterator[Finding]:
    """I1, I2, I3: what Redis holds at one moment, whatever was before."""
    picture = sight.picture
    held = picture.slots_after(sight.now_ms - grace_ms)
    if held > capacity:
        yield Finding(rule="I1", subject="slots", what=f"{held} are held, of {capacity}")
    homes: dict[SessionId, list[State]] = {}
    for state, ids in picture.indexes.items():
        for id_ in ids:
            homes.setdefault(id_, []).append(state)
    for id_, states in homes.items():
        if len(states) > 1:
            yield Finding(rule="I2", subject=id_, what=f"is in {len(states)} states: {states}")
    for id_, session in picture.sessions.items():
        if session.status not in homes.get(id_, []):
            what = f"says {session.status}, and is listed as {homes.get(id_, [])}"
            yield Finding(rule="I2", subject=id_, what=what)
    holding = {id_ for state in HOLDING for id_ in picture.indexes[state]}
    for id_ in set(picture.slots) - holding:
        what = f"has a slot, and is {homes.get(id_, 'no session')}"
        yield Finding(rule="I3", subject=id_, what=what)
    for id_ in holding - set(picture.slots):
        yield Finding(rule="I3", subject=id_, what=f"is {homes[id_]} without a slot")


def moves(past: Sight, now: Sight) -> Iterator[Finding]:
    """I2, I4, I12: how one sight may follow another, however many steps there were between them."""
    for id_, after in now.picture.sessions.items():
        before = past.picture.sessions.get(id_)
        if before is None:
            continue
        if after.status is not before.status and after.status not in _later(before.status):
            what = f"went from {before.status} to {after.status}"
            yield Finding(rule="I2", subject=id_, what=what)
        if after.epoch < before.epoch or after.revision < before.revision:
            what = f"epoch {before.epoch} became {after.epoch}"
            yield Finding(rule="I4", subject=id_, what=what)
        jobs = {before.job_id, after.job_id} - {None}
        if after.epoch == before.epoch and len(jobs) > 1:
            what = f"epoch {after.epoch} had the jobs {sorted(map(str, jobs))}"
            yield Finding(rule="I4", subject=id_, what=what)
    for name, number in past.picture.pool.items():
        if now.picture.pool.get(name, 0) < number:
            yield Finding(rule="I12", subject=name, what=f"fell from {number}")


def revivals(now: Sight, finals: Mapping[SessionId, Session]) -> Iterator[Finding]:
    """I2: what is over is over."""
    for id_ in now.live & finals.keys():
        yield Finding(rule="I2", subject=id_, what=f"was {finals[id_].status}, and lives again")


def order(past: Sight, now: Sight) -> Iterator[Finding]:
    """I7: who came first is served first."""
    still = {id_: now.picture.line[id_] for id_ in now.picture.line if id_ in past.picture.line}
    if not still:
        return
    first = min(still.values())
    for id_, place in past.picture.line.items():
        session = now.picture.sessions.get(id_)
        has_slot = session is not None and session.admitted_at_ms is not None
        if has_slot and id_ not in still and place > first:
            yield Finding(rule="I7", subject=id_, what="was served before one who came earlier")


def losses(past: Sight, now: Sight, may_be_lost: Collection[SessionId]) -> Iterator[Finding]:
    """I9: an agent that is well is never replaced."""
    for id_, after in now.picture.sessions.items():
        before = past.picture.sessions.get(id_)
        if before is None or id_ in may_be_lost:
            continue
        if before.status in {State.READY, State.ACTIVE} and after.epoch > before.epoch:
            what = f"lost its agent, and is at epoch {after.epoch}"
            yield Finding(rule="I9", subject=id_, what=what)


def affinity(past: Sight, now: Sight, workers: dict[str, tuple[int, str]]) -> Iterator[Finding]:
    """I10: a user whom we know comes back to the worker they had, if that has a place.

    `workers` remembers from look to look when each user's last session began, and where.
    """
    for id_, after in now.picture.sessions.items():
        before = past.picture.sessions.get(id_)
        is_claimed = after.worker_id is not None and (before is None or before.worker_id is None)
        user = after.user_id
        if not is_claimed or user is None or user.startswith("unverified:"):
            continue
        _, former = workers.get(user, (0, ""))
        if after.epoch == 1 and former not in {"", after.worker_id} and _is_open(former, past, now):
            what = f"of {user} went to {after.worker_id}, though {former} has places"
            yield Finding(rule="I10", subject=id_, what=what)
        workers[user] = max(
            workers.get(user, (0, "")), (after.created_at_ms, after.worker_id or "")
        )


@dataclass
class Times:
    """I5, I6: what may be so for a while, and for no longer."""

    limits: Limits
    _states: Held = field(default_factory=Held)
    _endings: Held = field(default_factory=Held)
    _recoveries: Held = field(default_factory=Held)
    _waits: Held = field(default_factory=Held)

    def judge(self, now: Sight, *, has_rooms: bool, capacity: int) -> Iterator[Finding]:
        """Judge one sight. Nothing can start or end while LiveKit is away, or no worker there."""
        indexes, limits = now.picture.indexes, self.limits
        elapsed_s = now.elapsed_s if has_rooms else 0.0
        staffed_s = elapsed_s if now.is_staffed else 0.0
        for held, state, limit_s, counted_s in (
            (self._states, State.STARTING, limits.starting_s, staffed_s),
            (self._recoveries, State.RECOVERING, limits.recovering_s, staffed_s),
            (self._endings, State.ENDING, limits.ending_s, elapsed_s),
        ):
            for id_ in held.longer_than(limit_s, indexes[state], counted_s):
                what = f"is {state} for longer than {limit_s:g} s"
                yield Finding(rule="I5", subject=id_, what=what)
        is_free = len(now.picture.slots) < capacity
        waiting = [id_ for id_, lapse in now.picture.tickets.items() if lapse > now.now_ms]
        subjects = waiting if is_free else []
        for id_ in self._waits.longer_than(limits.free_slot_s, subjects, now.elapsed_s):
            yield Finding(rule="I6", subject=id_, what="waits beside a free slot")


@dataclass
class Company:
    """I4: never two agents in a room for longer than it takes to put one out."""

    limits: Limits
    _pairs: Held = field(default_factory=Held)
    #: Rooms in which there were.
    found: set[str] = field(default_factory=set)

    def judge(self, now: RoomSight) -> Iterator[Finding]:
        """Judge one sight of all rooms."""
        crowded = [room for room, agents in now.agents.items() if len(agents) > 1]
        limit_s = self.limits.two_agents_s
        for room in self._pairs.longer_than(limit_s, crowded, now.elapsed_s):
            self.found.add(room)
            what = f"has had two agents for longer than {limit_s:g} s: {sorted(now.agents[room])}"
            yield Finding(rule="I4", subject=room, what=what)


def edges(session: Session, statuses: list[State]) -> Iterator[Finding]:
    """I2: each single step that a session has noted is one of the table."""
    for before, after in pairwise(statuses):
        if after not in TRANSITIONS[before]:
            yield Finding(rule="I2", subject=session.id, what=f"stepped from {before} to {after}")


def _later(state: State) -> set[State]:
    """Return all states that can come after one, at any distance."""
    found: set[State] = set()
    queue = [state]
    while queue:
        for after in TRANSITIONS[queue.pop()]:
            if after not in found:
                found.add(after)
                queue.append(after)
    return found


def _is_open(worker_id: str, past: Sight, now: Sight) -> bool:
    """Say whether a worker could have been given one more session, by both sights."""
    for sight in (past, now):
        worker = sight.workers.get(worker_id)
        if worker is None or not worker.is_open or worker.takes_since_ms is None:
            return False
        if sight.now_ms - worker.seen_at_ms > _PREFERRED_SEEN_WITHIN_MS:
            return False
    return True
