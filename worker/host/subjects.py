"""Whom lines of the worker's log are about: the framework names the job, we say of which session.

Jobs are learnt when LiveKit offers them. The lines of job processes come through the worker, too,
so that those are completed which were logged before, beside or after the code of a call.
"""

from __future__ import annotations

import logging
from collections import OrderedDict

from livekit.protocol.agent import Job

from sessions.assignment import Assignment
from sessions.ids import session_of_room

#: So many jobs are remembered: those under way, and some that were not taken or are over.
_MOST = 5_000


class Subjects(logging.Filter):
    """Completes records, as a filter of the handler that all of them come to."""

    def __init__(self, worker_id: str, *, may_adopt: bool) -> None:
        super().__init__()
        self._worker_id = worker_id
        self._may_adopt = may_adopt
        self._jobs: OrderedDict[str, dict[str, str | int]] = OrderedDict()

    def learn(self, job: Job) -> None:
        """Remember whose job this is."""
        assignment = Assignment.of_job(
            job.metadata, job.room.name, job_id=job.id, may_adopt=self._may_adopt
        )
        if assignment is None:
            return
        self._jobs[job.id] = assignment.log_fields
        while len(self._jobs) > _MOST:
            self._jobs.popitem(last=False)

    def filter(self, record: logging.LogRecord) -> bool:
        """Add what is known and was not said."""
        known = self._jobs.get(str(getattr(record, "job_id", ""))) or self._of_room(record)
        for name, value in {"worker_id": self._worker_id, **known}.items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True

    @staticmethod
    def _of_room(record: logging.LogRecord) -> dict[str, str | int]:
        """Return what the name of a room says, where a job has not been offered yet."""
        session_id = session_of_room(str(getattr(record, "room", "")))
        return {} if session_id is None else {"session_id": session_id}
