"""The spans of one agent in the trace of its session, made of the moments that are on record.

Its own span is from the job to the first sound, and is sent then: of an agent that is killed, it is
there, and what came after is below it.
"""

from __future__ import annotations

import time

from sessions.assignment import Assignment
from sessions.records import TurnTimes
from telemetry.tracing import Span, Step, Traces, Value, dispatch_span, root_span, span_id
from worker.call.moments import Moment, could_speak_ms
from worker.call.outcome import Outcome

_NS_PER_MS = 1_000_000
#: From which moment to which.
_STEPS = {
    Step.ACCEPT: (Moment.RECEIVED, Moment.ASSIGNED),
    Step.LAUNCH: (Moment.ASSIGNED, Moment.ENTERED),
    Step.CLAIM: (Moment.ENTERED, Moment.CLAIMED),
    Step.JOIN: (Moment.ENTERED, Moment.JOINED),
    Step.PUBLISH: (Moment.JOINED, Moment.PUBLISHED),
}


class Trail:
    """Makes the spans of one agent. Does nothing where there are no traces."""

    def __init__(
        self,
        traces: Traces,
        assignment: Assignment,
        *,
        job_id: str,
        worker_id: str,
        is_warm: bool,
        is_adopted: bool = False,
    ) -> None:
        """`is_adopted`: nobody has begun the session before, so that its trace has no root."""
        self._traces = traces
        self._session_id = session_id = assignment.session_id
        self._root = root_span(session_id)
        #: Several jobs may be sent under one epoch.
        self._own = span_id(session_id, Step.AGENT, job_id)
        # The dispatch that a token carries is made by LiveKit.
        is_sent = not assignment.admit_on_start
        self._parent = dispatch_span(session_id, assignment.epoch) if is_sent else self._root
        self._is_adopted = is_adopted
        self._about: dict[str, Value] = {
            "epoch": assignment.epoch,
            "job_id": job_id,
            "worker_id": worker_id,
            "prewarmed": is_warm,
        }
        self._moments_ms: dict[Moment, int] = {}
        self._told: set[Step] = set()
        self._left_ns: int | None = None

    def enter(self) -> None:
        """Put the framework's spans of this task, and of those it starts, below the agent's."""
        self._traces.enter(self._session_id, self._own)

    def moment(self, moment: Moment, at_ms: int) -> None:
        """Note when something happened, in ms since 1970; the first time counts."""
        if not self._traces.is_on:
            return
        self._moments_ms.setdefault(moment, at_ms)
        for step, (begin, end) in _STEPS.items():
            self._tell(step, self._moments_ms.get(begin), self._moments_ms.get(end))
        begin_ms = could_speak_ms(self._moments_ms)
        self._tell(Step.GREETING, begin_ms, self._moments_ms.get(Moment.GREETED))
        if moment is Moment.PUBLISHED:
            self._tell_of_agent(at_ms * _NS_PER_MS)

    def turn(self, times: TurnTimes, spoken_s: tuple[float, float] | None) -> None:
        """Note something that was said: how long it took, and never what."""
        if not self._traces.is_on:
            return
        began_s, ended_s = spoken_s or (times.at_ms / 1000, times.at_ms / 1000)
        stages = {
            name: getattr(times, name)
            for name in (
                *("transcription_ms", "end_of_turn_ms", "first_token_ms"),
                *("first_sound_ms", "answer_ms"),
            )
        }
        attributes: dict[str, Value] = {"role": times.role, "interrupted": times.is_interrupted}
        attributes |= {name: value for name, value in stages.items() if value is not None}
        self._take(Step.TURN, round(began_s * 1e9), round(ended_s * 1e9), attributes)

    def leave(self) -> None:
        """Note that the agent leaves; the first time counts."""
        self._left_ns = self._left_ns or time.time_ns()

    def end(self, outcome: Outcome) -> None:
        """Note how it went, once it has left."""
        if not self._traces.is_on:
            return
        now_ns = time.time_ns()
        self._tell_of_agent(now_ns)
        began_ns = self._left_ns or now_ns
        self._take(Step.END, began_ns, now_ns, {"outcome": outcome.verdict})

    def _tell(self, step: Step, begin_ms: int | None, end_ms: int | None) -> None:
        if begin_ms is None or end_ms is None or step in self._told:
            return
        self._told.add(step)
        self._take(step, begin_ms * _NS_PER_MS, end_ms * _NS_PER_MS)

    def _tell_of_agent(self, ended_ns: int) -> None:
        if Step.AGENT in self._told:
            return
        self._told.add(Step.AGENT)
        first_ms = min(self._moments_ms.values(), default=ended_ns // _NS_PER_MS)
        span = Span(
            session_id=self._session_id,
            step=Step.AGENT,
            began_ns=first_ms * _NS_PER_MS,
            ended_ns=ended_ns,
            parent=self._parent,
            id=self._own,
            attributes=self._about,
        )
        self._traces.take(span)
        if self._is_adopted:
            root = Span(
                session_id=self._session_id,
                step=Step.ADOPTION,
                began_ns=span.began_ns,
                ended_ns=ended_ns,
                parent=None,
                id=self._root,
            )
            self._traces.take(root)

    def _take(
        self,
        step: Step,
        began_ns: int,
        ended_ns: int,
        attributes: dict[str, Value] | None = None,
    ) -> None:
        self._traces.take(
            Span(
                session_id=self._session_id,
                step=step,
                began_ns=began_ns,
                ended_ns=ended_ns,
                parent=self._own,
                attributes=attributes or {},
            )
        )
