"""Who comes back is given the worker that they had, where it has a place; else any other.

Scenario: a known user starts a session. The worker of their last one is there and has places: the
assignment names it, and other workers leave the job to it (worker/host/colleagues.py).

Counter-scenario: it declines, or dies, in that very moment, when the others have declined already.
LiveKit asks nobody twice, so the job is lost. A second later this is noticed here, and an agent is
sent once more, under the same epoch and without a preference: should both come after all, the
store lets one of them have the session, and the other leaves before it is heard.
"""

from __future__ import annotations

import asyncio
import logging

from rooms.client import Rooms
from rooms.errors import RoomsError
from sessions.assignment import Assignment
from sessions.errors import SessionError
from sessions.ids import UserId, WorkerId
from sessions.states import State
from sessions.store import SessionStore
from telemetry.tracing import OFF, Traces

logger = logging.getLogger("tokenserver")

#: A user does not wait any longer for where they were last.
_LOOK_S = 0.25
#: By then a worker that is going to take a job has taken it; LiveKit itself needs 0.2 s.
_PATIENCE_S = 1.0
#: So many jobs are watched at a time; who starts a session meanwhile gets whichever worker.
_MOST_WATCHED = 500


class Affinity:
    """Names the worker that a user had, and watches that its job is not lost for that."""

    def __init__(self, store: SessionStore, rooms: Rooms, traces: Traces = OFF) -> None:
        self._store = store
        self._traces = traces
        self._rooms = rooms
        self._watching: set[asyncio.Task[None]] = set()

    async def worker_for(self, user_id: UserId) -> WorkerId | None:
        """Return the worker that the user had, if it is there and has places.

        Nobody is refused for that: None, too, when Redis does not tell.
        """
        if not self._store.settings.affinity or len(self._watching) >= _MOST_WATCHED:
            return None
        try:
            async with asyncio.timeout(_LOOK_S):
                found = await self._store.fleet.preferred_worker(user_id)
        except (SessionError, TimeoutError) as error:
            logger.info("no worker is preferred", extra={"reason": type(error).__name__})
            return None
        is_open = found is not None and found.listed is not None and found.listed.is_open
        return found.id if found is not None and is_open else None

    def watch(self, assignment: Assignment) -> None:
        """See to it, in the background, that somebody takes the job of a preferred worker."""
        task = asyncio.create_task(self._watch(assignment))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def aclose(self) -> None:
        """Give up what is watched: after its deadline the supervisor sends another agent."""
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)

    async def _watch(self, assignment: Assignment) -> None:
        await asyncio.sleep(_PATIENCE_S)
        fields = {**assignment.log_fields, "worker_id": assignment.prefer}
        try:
            if not await self._is_lost(assignment):
                return
            anybody = assignment.model_copy(update={"prefer": None})
            told = self._traces.dispatch(
                anybody.session_id, anybody.epoch, "preferred_gone", is_first=False
            )
            with told:
                await self._rooms.send_agent(anybody.room, anybody.to_metadata())
        except (SessionError, RoomsError) as error:
            logger.info("left to the supervisor", extra=fields | {"reason": type(error).__name__})
        except Exception:
            logger.exception("could not look after a job", extra=fields)
        else:
            logger.info("the preferred worker did not come; anybody may", extra=fields)

    async def _is_lost(self, assignment: Assignment) -> bool:
        """Say whether the session waits for this agent, and no worker has taken its job."""
        session = await self._store.get(assignment.session_id)
        waits = (
            session.status is State.STARTING
            and session.epoch == assignment.epoch
            and session.claimed_at_ms is None
        )
        return waits and not await self._rooms.has_job(assignment.room)
