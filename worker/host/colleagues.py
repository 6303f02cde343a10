"""Which other workers there are, as the fleet's list had it at this worker's last heartbeat.

Scenario: a user comes back, and LiveKit asks this worker first. The one that had the user before is
there and has a place: this one makes way, and LiveKit asks the next, until it comes to that one.

Counter-scenario: it is full, draining, silent, or nobody knows: then whoever is asked takes the
user. What is remembered here may be wrong for a heartbeat or two; tokenserver/affinity.py sees to
it that an agent comes all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sessions.fleet import Worker
from sessions.ids import WorkerId

#: A worker, or a look at the list, that is so many heartbeats old counts for nothing.
_HEARTBEATS = 2


class Colleagues:
    """Remembers who could take a call; asked while the server waits, so it asks nobody."""

    def __init__(
        self, own_id: WorkerId, heartbeat_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._own_id = own_id
        self._good_for_s = _HEARTBEATS * heartbeat_s
        self._clock = clock
        self._open: frozenset[WorkerId] = frozenset()
        self._known_until_s = 0.0

    def note(self, workers: Sequence[Worker]) -> None:
        """Remember the list. Whoever was seen last has been seen just now: this worker, mostly."""
        now_ms = max((one.seen_at_ms for one in workers), default=0)
        oldest_ms = now_ms - self._good_for_s * 1000
        self._open = frozenset(
            one.id for one in workers if one.is_open and one.seen_at_ms >= oldest_ms
        )
        self._known_until_s = self._clock() + self._good_for_s

    def would_take(self, worker_id: WorkerId) -> bool:
        """Say whether another worker, this one, is known to be there and to have a place."""
        is_known = worker_id != self._own_id and self._clock() < self._known_until_s
        return is_known and worker_id in self._open
