"""To take a job or not. Answered without I/O: the server waits, and drops the job after 3 s."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum

from livekit.agents import AssignmentTimeoutError, JobRequest
from livekit.protocol.agent import Job

from sessions.assignment import Assignment
from sessions.ids import WorkerId

logger = logging.getLogger(__name__)


class Answer(Enum):
    ACCEPT = "accept"
    #: Not here, but another worker may.
    DECLINE = "decline"
    #: Another worker had the user before, and is asked next.
    MAKE_WAY = "make way"
    #: Nobody can do this job.
    REFUSE = "refuse"


class Gate:
    """Counts the calls of this worker, those included that are only just being started."""

    def __init__(
        self,
        capacity: int,
        count_active: Callable[[], int],
        *,
        may_adopt: bool = True,
        can_start: Callable[[int], bool] = lambda _: True,
        on_start: Callable[[], None] = lambda: None,
        would_take: Callable[[WorkerId], bool] = lambda _: False,
        on_offer: Callable[[Job], None] = lambda _: None,
    ) -> None:
        """`can_start` says whether one more call would find a process, with so many starting;
        `would_take` whether another worker is known to be there, and to have a place.
        """
        self.capacity = capacity
        self._may_adopt = may_adopt
        #: Set when this worker is about to stop.
        self.is_draining = False
        #: Set while an operator wants it to take no calls.
        self.is_paused = False
        self._count_active = count_active
        self._can_start = can_start
        self._on_start = on_start
        self._would_take = would_take
        self._on_offer = on_offer
        self._starting = 0

    @property
    def taken(self) -> int:
        """Places that are taken; a call may count twice while it starts, never not at all."""
        return self._count_active() + self._starting

    def decide(self, metadata: str, room: str) -> Answer:
        """Judge a job by its metadata, and by the room that it is for."""
        job = Assignment.of_job(metadata, room, job_id="", may_adopt=self._may_adopt)
        if job is None:
            return Answer.REFUSE
        if self.is_draining or self.is_paused or self.taken >= self.capacity:
            return Answer.DECLINE
        if not self._can_start(self._starting):
            return Answer.DECLINE
        if job.prefer is not None and self._would_take(job.prefer):
            return Answer.MAKE_WAY
        return Answer.ACCEPT

    async def answer(self, request: JobRequest) -> None:
        """Answer a request of the server; returns when an accepted job is running."""
        self._on_offer(request.job)
        answer = self.decide(request.job.metadata, request.room.name)
        if answer is not Answer.ACCEPT:
            logger.info("job declined", extra={"job_id": request.id, "answer": answer.value})
            await request.reject(terminate=answer is Answer.REFUSE)
            return
        self._starting += 1
        self._on_start()
        try:
            await request.accept()
        except AssignmentTimeoutError:
            # Answered too late: another worker has it, or the supervisor sends for one.
            logger.warning("job was not assigned in time", extra={"job_id": request.id})
        finally:
            self._starting -= 1
