"""What is measured of a call: each phase once, whatever order its ends come in."""

from __future__ import annotations

from collections import defaultdict

from sessions.model import Start
from sessions.records import TurnTimes
from telemetry.metric import Metric
from worker.call.measures import Measures, Processor
from worker.call.moments import Moment
from worker.call.outcome import CRASHED, USER_LEFT
from worker.voice.settings import Stage
from worker.voice.trouble import Kind, Trouble

LABELS = dict[str, str]


class Heard:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple[LABELS, float]]] = defaultdict(list)

    def count(self, metric: Metric, amount: float = 1, /, **labels: str) -> None:
        self.observe(metric, amount, **labels)

    def observe(self, metric: Metric, value: float, /, **labels: str) -> None:
        assert set(labels) == set(metric.labels)
        assert all(labels[name] in known for name, known in metric.labels.items())
        self.rows[metric.name.removeprefix("voicefleet_")].append((labels, value))

    def phases(self) -> dict[str, float]:
        rows = self.rows["start_step_duration_seconds"]
        assert len({labels["phase"] for labels, _ in rows}) == len(rows)
        return {labels["phase"]: value for labels, value in rows}


def test_a_start_is_measured_phase_by_phase() -> None:
    heard = Heard()
    measures = Measures(heard, is_warm=True)
    # The worker tells of what came before only once the process has the call.
    for moment, at_ms in [
        (Moment.ENTERED, 1_050),
        (Moment.RECEIVED, 1_000),
        (Moment.ASSIGNED, 1_030),
        (Moment.JOINED, 1_200),
        (Moment.PUBLISHED, 1_250),
        (Moment.USER_JOINED, 1_240),
        (Moment.GREETED, 1_300),
        (Moment.GREETED, 9_999),
    ]:
        measures.moment(moment, at_ms)
    measures.start(Start(waited_ms=4_000, sent_ms=10, startup_ms=500, sent_at_ms=800))
    assert heard.phases() == {
        "send": 0.01,
        "dispatch": 0.2,
        "accept": 0.03,
        "launch": 0.02,
        "join": 0.15,
        "publish": 0.05,
        "greeting": 0.05,
    }
    assert heard.rows["queue_wait_seconds"] == [({}, 4.0)]
    assert heard.rows["start_duration_seconds"] == [({"warm": "true"}, 0.5)]


def test_clocks_that_disagree_make_no_negative_time() -> None:
    heard = Heard()
    measures = Measures(heard, is_warm=False)
    measures.moment(Moment.RECEIVED, 1_000)
    measures.start(Start(waited_ms=0, sent_ms=0, startup_ms=900, sent_at_ms=1_700))
    assert heard.phases() == {"send": 0.0, "dispatch": 0.0}


def test_turns_troubles_and_the_end_are_counted() -> None:
    heard = Heard()
    measures = Measures(heard, is_warm=True)
    measures.turn(TurnTimes(role="user", at_ms=1, transcription_ms=200))
    measures.turn(TurnTimes(role="assistant", at_ms=2, is_interrupted=True, answer_ms=700))
    kind = Trouble(stage=Stage.THINKING, provider="x", kind=Kind.BUSY, recoverable=True)
    measures.trouble(kind)
    measures.end(USER_LEFT)
    measures.end(CRASHED)
    assert heard.rows["turns_total"] == [({"role": "user"}, 1), ({"role": "assistant"}, 1)]
    assert heard.rows["turn_duration_seconds"] == [
        ({"stage": "transcription"}, 0.2),
        ({"stage": "answer"}, 0.7),
    ]
    assert heard.rows["interruptions_total"] == [({}, 1)]
    assert heard.rows["provider_failures_total"] == [({"stage": "llm", "kind": "busy"}, 1)]
    assert heard.rows["calls_total"] == [({"verdict": "ended"}, 1)]
    assert len(heard.rows["call_duration_seconds"]) == 1


def test_processor_time_is_counted_once() -> None:
    heard = Heard()
    processor = Processor(heard)
    processor.count()
    sum(range(200_000))
    processor.count()
    first, second = (value for _, value in heard.rows["job_cpu_seconds_total"])
    assert first > 0
    assert 0 <= second < first + 5
