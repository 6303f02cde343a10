"""What is measured of one call, for the worker's metrics: no words, and nothing that names it.

A phase of a start is measured once both its ends are known. Those of different machines (the
dispatch, the slot) are as exact as their clocks are alike.
"""

from __future__ import annotations

import time

from sessions.model import Start
from sessions.records import TurnTimes
from telemetry.figures import Figures
from telemetry.metrics import (
    CALL_DURATION,
    CALLS,
    INTERRUPTIONS,
    JOB_CPU,
    PHASE_DURATION,
    PROVIDER_FAILURES,
    QUEUE_WAIT,
    START_DURATION,
    TURN_DURATION,
    TURNS,
)
from worker.call.moments import Moment, could_speak_ms
from worker.call.outcome import Outcome
from worker.voice.trouble import Trouble

#: Of a start, from which moment to which.
_PHASES = {
    "accept": (Moment.RECEIVED, Moment.ASSIGNED),
    "launch": (Moment.ASSIGNED, Moment.ENTERED),
    "join": (Moment.ENTERED, Moment.JOINED),
    "publish": (Moment.JOINED, Moment.PUBLISHED),
}
_STAGES = {
    "transcription": "transcription_ms",
    "end_of_turn": "end_of_turn_ms",
    "first_token": "first_token_ms",
    "first_sound": "first_sound_ms",
    "answer": "answer_ms",
}


class Measures:
    """Measures one call; `is_warm`: its process had been warm before it came."""

    def __init__(self, figures: Figures, *, is_warm: bool) -> None:
        self._figures = figures
        self._warm = "true" if is_warm else "false"
        self._moments_ms: dict[Moment, int] = {}
        self._measured: set[str] = set()
        self._began_at = time.monotonic()
        self._is_over = False

    def moment(self, moment: Moment, at_ms: int) -> None:
        """Note when something happened, in ms since 1970; the first time counts."""
        self._moments_ms.setdefault(moment, at_ms)
        for phase, (begin, end) in _PHASES.items():
            self._measure(phase, self._moments_ms.get(begin), self._moments_ms.get(end))
        begin_ms = could_speak_ms(self._moments_ms)
        self._measure("greeting", begin_ms, self._moments_ms.get(Moment.GREETED))

    def start(self, start: Start) -> None:
        """Note how long the session has taken until its first agent could be heard."""
        self._figures.observe(QUEUE_WAIT, start.waited_ms / 1000)
        self._figures.observe(START_DURATION, start.startup_ms / 1000, warm=self._warm)
        self._measure("send", 0, start.sent_ms)
        self._measure("dispatch", start.sent_at_ms, self._moments_ms.get(Moment.RECEIVED))

    def turn(self, times: TurnTimes) -> None:
        """Note something that was said."""
        self._figures.count(TURNS, role=times.role)
        if times.role == "assistant" and times.is_interrupted:
            self._figures.count(INTERRUPTIONS)
        for stage, name in _STAGES.items():
            took_ms: int | None = getattr(times, name)
            if took_ms is not None:
                self._figures.observe(TURN_DURATION, took_ms / 1000, stage=stage)

    def trouble(self, trouble: Trouble) -> None:
        """Note what a provider failed at."""
        self._figures.count(PROVIDER_FAILURES, stage=trouble.stage, kind=trouble.kind)

    def end(self, outcome: Outcome) -> None:
        """Note how it went. The first outcome counts."""
        if self._is_over:
            return
        self._is_over = True
        self._figures.count(CALLS, verdict=outcome.verdict)
        self._figures.observe(CALL_DURATION, time.monotonic() - self._began_at)

    def _measure(self, phase: str, begin_ms: int | None, end_ms: int | None) -> None:
        if begin_ms is None or end_ms is None or phase in self._measured:
            return
        self._measured.add(phase)
        took_s = max(0, end_ms - begin_ms) / 1000
        self._figures.observe(PHASE_DURATION, took_s, phase=phase, warm=self._warm)


class Processor:
    """Counts the CPU time of this process, in which calls may be several."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._counted_s = 0.0

    def count(self) -> None:
        """Count what was used since the last time."""
        used_s = time.process_time()
        self._figures.count(JOB_CPU, used_s - self._counted_s)
        self._counted_s = used_s
