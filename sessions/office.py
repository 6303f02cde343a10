"""Who of several supervisors leads: one at a time, each under a term that no other has had.

The term is a fencing token (Kleppmann, "How to do distributed locking", 2016): a leader that was
stopped, and wakes up when another leads, is refused by the store, whatever its clock says.
"""

from __future__ import annotations

from dataclasses import dataclass

from sessions.engine import Engine
from sessions.notices import Notices
from sessions.settings import MOST_OFFICE_S, milliseconds
from sessions.text import clean

#: Longer would be no name of ours.
_MAX_NAME_CHARS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """What came of asking for the office."""

    #: Whether whoever asked leads now.
    leads: bool
    #: Of whoever leads, or led last.
    term: int
    leader: str


class Office:
    """The office of the leader. Every method may raise what `SessionStore` says."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        #: What a leader leaves to those who follow it.
        self.notices = Notices(engine)

    async def stand(self, name: str, *, lease_s: float, is_hesitant: bool = False) -> Ballot:
        """Lead for `lease_s` more (a minute at most), or begin to where nobody leads.

        Who is hesitant lets an office be vacant for `lease_s` first: others may be fitter.
        """
        lease_ms = milliseconds(min(lease_s, MOST_OFFICE_S))
        return _to_ballot(
            await self._engine.run(
                "lead",
                leader=clean(name, _MAX_NAME_CHARS),
                leaseMs=lease_ms,
                isHesitant=is_hesitant or None,
            )
        )

    async def leave(self, name: str) -> Ballot:
        """Step down, so that another may lead at once. Who does not lead changes nothing."""
        leader = clean(name, _MAX_NAME_CHARS)
        return _to_ballot(await self._engine.run("lead", leader=leader, leaseMs=0, isLeaving=True))


def _to_ballot(answer: dict[str, object]) -> Ballot:
    return Ballot(
        leads=bool(answer["leads"]), term=int(str(answer["term"])), leader=str(answer["leader"])
    )
