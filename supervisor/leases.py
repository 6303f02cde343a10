"""An agent is gone, or none ever came.

Scenario: the agent's process hangs or is stopped, its machine is lost or cut off from Redis. The
lease in the store lapses, since only a live agent renews it. The agent is written off, and the
session is due for another one, which dispatches.py sends; after too many it fails. Should the first
one wake up, its next heartbeat tells it that it has been replaced.

Scenario: no agent came at all, and none could be sent in time. The session is failed, which frees
its slot, and the room is closed (endings.py), so that the user sees the end instead of waiting in
silence.

Counter-scenario: Redis was away. Then no agent could renew, and every lease has lapsed although
every agent is well. The store itself knows that nobody could write, and judges no lease by that
time until a full one has passed (sessions/lua/include/store.lua).
"""

from __future__ import annotations

import logging

from sessions.errors import SessionError, StoreUnavailable
from sessions.ids import SessionId
from sessions.states import State
from sessions.store import SessionStore

logger = logging.getLogger("supervisor")

_NO_AGENT = "No agent came in time. Please try again."
_AGENT_LOST = "The agent was lost, and so were those sent in its place. Please start again."


class LeaseSweeper:
    """Writes off agents whose lease has lapsed. Any number may do this at the same time."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    async def sweep_once(self) -> int:
        """Judge every session whose lease has lapsed, and return how many there were.

        A lease that is seen to have lapsed is only noted; a later pass judges.
        """
        try:
            suspects = await self._store.suspects()
            return sum([await self._judge(session_id) for session_id in suspects])
        except StoreUnavailable as error:
            logger.warning("redis is away; nothing is judged", extra={"reason": str(error)})
            return 0

    async def _judge(self, session_id: SessionId) -> bool:
        try:
            session = await self._store.get(session_id)
            if session.claimed_at_ms is None:
                outcome = await self._store.fail(session_id, _NO_AGENT, only_if_lapsed=True)
                is_judged, status = outcome.changed, State.FAILED
            else:
                loss = await self._store.lose(session_id, _AGENT_LOST)
                is_judged, status = loss.changed, loss.status
        except StoreUnavailable:
            raise
        except SessionError:
            return False  # it has ended, or was forgotten, meanwhile
        if is_judged:
            logger.warning(
                "a lease lapsed",
                extra={**session.log_fields, "status": status},
            )
        return is_judged
