"""How soon new sessions went to the new version, as the balancer and the agents tell it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.deploy_drill.deployers import Rollout
from bench.deploy_drill.fleet import Fleet
from bench.deploy_drill.replicas import Kind, Replica
from bench.deploy_drill.short_calls import ShortCall

#: When a process was given a new session.
Given = tuple[float, Replica]


@dataclass(slots=True, kw_only=True)
class Moments:
    """Seconds; one for each process that was replaced."""

    #: From its start until a new one was ready.
    ready_s: list[float] = field(default_factory=list)
    #: From "told to go" to the next new session that the new version was given; None: none was.
    first_s: list[float | None] = field(default_factory=list)
    #: From "told to go" to the last new session of the old process; 0: there was none after.
    last_s: list[float] = field(default_factory=list)
    #: From "told to go" to its end.
    gone_s: list[float] = field(default_factory=list)


def moments(rollout: Rollout, given: Sequence[Given]) -> Moments:
    """Compare who was told to go with who was given sessions."""
    found = Moments()
    found.ready_s += [_since(one.began_at, one.ready_at) for one in rollout.new]
    for old in rollout.old:
        told_at = old.told_at or 0.0
        after = [(at - told_at, one) for at, one in given if at >= told_at]
        new = (s for s, one in after if one.version is rollout.version)
        found.first_s.append(min(new, default=None))
        found.last_s.append(max((s for s, one in after if one is old), default=0.0))
        found.gone_s.append(_since(told_at, old.gone_at))
    return found


def sessions_given(fleet: Fleet, kind: Kind, calls: Iterable[ShortCall]) -> list[Given]:
    """Return which process was given which new session, and when."""
    if kind is Kind.TOKENS:
        # A port may be used again; then it is the later one's.
        servers = {one.port: one for one in fleet.replicas if one.kind is kind}
        return [(at, servers[port]) for at, port in fleet.balancer.starts]
    claims = ((one.claimed_at, fleet.worker(one.worker_id or "")) for one in calls)
    return [(at, worker) for at, worker in claims if at is not None and worker is not None]


def in_drain(calls: Iterable[ShortCall], old: Iterable[Replica]) -> list[ShortCall]:
    """Return the calls that had an agent on a worker as that was told to go."""
    return [call for call in calls if any(_was_on(call, worker) for worker in old)]


def _was_on(call: ShortCall, worker: Replica) -> bool:
    told_at = worker.told_at
    if call.worker_id != worker.worker_id or told_at is None or call.claimed_at is None:
        return False
    return call.claimed_at <= told_at < (call.left_at or told_at)


def _since(began_at: float, ended_at: float | None) -> float:
    return 0.0 if ended_at is None else ended_at - began_at
