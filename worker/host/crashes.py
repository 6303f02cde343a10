"""A job process that dies takes its session's agent with it: the store is told at once.

Scenario: the process is killed for its memory, or crashes in native code. LiveKit forgets the job
and sends nobody; the session would look healthy until its lease lapses, some 7 s later. The worker
sees its child die, writes the agent off under its epoch, and another one is sent.

Counter-scenario: the process ends as it should. Then the call has said itself how it went.
"""

from __future__ import annotations

import asyncio
import logging

from sessions.assignment import Assignment
from sessions.errors import SessionError, StoreUnavailable, WrongSchema
from sessions.model import LossCause
from sessions.store import SessionStore
from worker.host.pool import Crash

logger = logging.getLogger(__name__)

#: Shown to the user, should no other agent be sent.
_REASON = "The agent stopped unexpectedly. Please start again."
_FIRST_RETRY_S = 0.1
_LONGEST_RETRY_S = 1.0


class Crashes:
    """Writes off the agents whose processes died."""

    def __init__(self, store: SessionStore, *, may_adopt: bool = True) -> None:
        self._store = store
        self._may_adopt = may_adopt
        self._tasks: set[asyncio.Task[None]] = set()

    def report(self, crash: Crash) -> None:
        """Write an agent off, in the background."""
        job = crash.job
        fields = {"job_id": job.id, "exit_code": crash.exit_code}
        assignment = Assignment.of_job(
            job.metadata, job.room.name, job_id=job.id, may_adopt=self._may_adopt
        )
        if assignment is None:
            logger.error("a job process died", extra=fields)
            return
        fields |= assignment.log_fields
        logger.error("the agent of a session died", extra=fields)
        task = asyncio.create_task(self._write_off(assignment, job.id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait for what is being written; each write has a deadline of its own."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _write_off(self, assignment: Assignment, job_id: str) -> None:
        """Try until Redis takes it, or the lease has lapsed and others see to it."""
        delay_s = _FIRST_RETRY_S
        try:
            async with asyncio.timeout(self._store.settings.agent_lease_s):
                while not await self._try(assignment, job_id):
                    await asyncio.sleep(delay_s)
                    delay_s = min(2 * delay_s, _LONGEST_RETRY_S)
        except TimeoutError:
            logger.warning(
                "its lease will lapse instead",
                extra={**assignment.log_fields, "job_id": job_id},
            )
        except Exception:
            logger.exception(
                "could not write off an agent", extra={**assignment.log_fields, "job_id": job_id}
            )

    async def _try(self, assignment: Assignment, job_id: str) -> bool:
        """Say whether there is nothing more to do."""
        try:
            session = await self._store.get(assignment.session_id)
            if session.job_id not in {None, job_id}:
                return True  # another job claimed it, of the same epoch, too
            loss = await self._store.lose(
                assignment.session_id,
                _REASON,
                cause=LossCause.CRASHED,
                epoch=assignment.epoch,
                is_certain=True,
            )
        except (StoreUnavailable, WrongSchema):
            return False
        except SessionError as error:
            logger.info(
                "nothing to write off",
                extra={**assignment.log_fields, "job_id": job_id, "code": error.code},
            )
        else:
            logger.warning(
                "agent written off",
                extra={**assignment.log_fields, "job_id": job_id, "status": loss.status},
            )
        return True
