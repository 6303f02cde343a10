"""The table of metrics keeps to the conventions, and knows what the code may say."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest

from rooms.breaker import BreakerState
from sessions.errors import NotAdmitted, SessionOver
from sessions.model import LossCause
from sessions.settings import COUNTED
from sessions.states import TERMINAL, State
from telemetry import metrics
from telemetry.metric import Kind, Metric
from worker.call.outcome import Verdict
from worker.voice.settings import Stage
from worker.voice.trouble import Kind as TroubleKind

TABLE = [one for one in vars(metrics).values() if isinstance(one, Metric)]
#: Of these there is no end, and some are nobody's business.
FORBIDDEN = {"user", "session", "room", "job", "identity", "address", "worker", "le", "quantile"}
OTHER = "other"


def test_each_metric_is_exported_by_somebody_and_has_a_name_of_its_own() -> None:
    groups = (
        *(metrics.API, metrics.NEIGHBOURS, metrics.SUPERVISOR, metrics.FLEET),
        *(metrics.WORKER_EVENTS, metrics.WORKER_STATE, metrics.OF_CALLS),
        metrics.TRACES,
    )
    exported = [metric for group in groups for metric in group]
    assert sorted(one.name for one in exported) == sorted(one.name for one in TABLE)
    assert len({one.name for one in TABLE}) == len(TABLE)


@pytest.mark.parametrize("metric", TABLE, ids=lambda metric: metric.name)
def test_names_follow_the_conventions(metric: Metric) -> None:
    """https://prometheus.io/docs/practices/naming/"""
    assert re.fullmatch(r"voicefleet_[a-z][a-z0-9_]*", metric.name)
    assert metric.name.endswith("_total") is (metric.kind is Kind.COUNTER)
    assert not re.search(r"_(ms|milliseconds|minutes|kb|mb|percent)(_|$)", metric.name)
    assert metric.meaning.endswith(".")
    assert bool(metric.edges) is (metric.kind is Kind.HISTOGRAM)
    assert list(metric.edges) == sorted(metric.edges)
    assert not set(metric.labels) & FORBIDDEN
    assert not any(label in metric.name.split("_") for label in metric.labels)


@pytest.mark.parametrize(
    ("known", "kind"),
    [
        (metrics.LOSSES.labels["cause"], LossCause),
        (metrics.CALLS.labels["verdict"], Verdict),
        (metrics.PROVIDER_FAILURES.labels["kind"], TroubleKind),
        (metrics.PROVIDER_FAILURES.labels["stage"], Stage),
    ],
)
def test_labels_may_say_what_the_code_says(known: tuple[str, ...], kind: type[StrEnum]) -> None:
    assert set(known) - {OTHER} == set(kind)


def test_states_outcomes_and_refusals_are_those_of_the_store() -> None:
    assert set(metrics.SESSIONS.labels["state"]) == set(State) - TERMINAL
    assert metrics.OUTCOMES.labels["outcome"] == tuple(COUNTED)
    refusals = {kind.code for kind in NotAdmitted.__subclasses__()} | {SessionOver.code}
    assert set(metrics.REJECTS.labels["reason"]) == refusals
    assert len(BreakerState) == 3  # BREAKER_OPEN says each of them as a number
