"""What a platform does to bring another version in: with care, or without."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.deploy_drill.fleet import Fleet
from bench.deploy_drill.replicas import Kind, Replica, Unfit
from bench.deploy_drill.versions import Version

#: What containers are given between SIGTERM and SIGKILL where nobody says otherwise.
_CARELESS_GRACE_S = 10.0


@dataclass(slots=True, kw_only=True)
class Rollout:
    """What became of one."""

    kind: Kind
    version: Version
    #: What served, by its own words: "2 x 0.1.0".
    before: str
    after: str = ""
    new: list[Replica] = field(default_factory=list)
    old: list[Replica] = field(default_factory=list)
    #: Old ones that did not go in their grace, and were killed.
    killed: int = 0
    #: Why it went no further; nothing where it went to its end.
    why_not: str = ""


class Deployer(ABC):
    """Rolls out versions, one after the other."""

    def __init__(self, fleet: Fleet, tell: Callable[[str], None]) -> None:
        self._fleet = fleet
        self._tell = tell

    async def roll_out(self, kind: Kind, version: Version, ready_within_s: float) -> Rollout:
        """Replace the processes of a service; tell what became of it."""
        fleet = self._fleet
        self._tell(f"{kind}: {version.name} is rolled out")
        rollout = Rollout(kind=kind, version=version, before=await fleet.serving(kind))
        try:
            await self._replace(rollout, fleet.of(kind), ready_within_s)
        except Unfit as error:
            rollout.why_not = str(error)
        rollout.after = await fleet.serving(kind)
        outcome = f"refused, {rollout.why_not}" if rollout.why_not else "done"
        self._tell(f"{kind}: {version.name} {outcome}; {rollout.after} serving")
        return rollout

    @abstractmethod
    async def _replace(self, rollout: Rollout, old: list[Replica], ready_within_s: float) -> None:
        """Replace all of them, and note it. Raises Unfit."""


class Careful(Deployer):
    """As a rolling update without unavailable replicas: an old one goes when a new one is ready.

    One at a time. A new one that ends, or is not ready in time, is the end of the rollout.
    """

    def __init__(self, fleet: Fleet, tell: Callable[[str], None], *, grace_s: float) -> None:
        super().__init__(fleet, tell)
        self._grace_s = grace_s

    async def _replace(self, rollout: Rollout, old: list[Replica], ready_within_s: float) -> None:
        for one in old:
            new = await self._fleet.start(rollout.kind, rollout.version, ready_within_s)
            rollout.new.append(new)
            one.tell_to_go()
            rollout.old.append(one)
            rollout.killed += not await self._fleet.remove(one, self._grace_s)


class Careless(Deployer):
    """All old ones are stopped, within ten seconds, then the new ones are started."""

    async def _replace(self, rollout: Rollout, old: list[Replica], ready_within_s: float) -> None:
        fleet = self._fleet
        for one in old:
            one.tell_to_go()
        rollout.old += old
        went = await asyncio.gather(*(fleet.remove(one, _CARELESS_GRACE_S) for one in old))
        rollout.killed = went.count(False)
        starts = (fleet.start(rollout.kind, rollout.version, ready_within_s) for _ in old)
        rollout.new += await asyncio.gather(*starts)
