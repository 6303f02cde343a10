"""A meter shows what was counted, what never was, and what others count."""

from __future__ import annotations

import pytest

from telemetry import metrics
from telemetry.meter import Meter
from tests.support.figures import read_page


def test_what_has_never_happened_is_zero_where_it_is_known_what_could() -> None:
    page = read_page(Meter([metrics.CALLS, metrics.HTTP_REQUESTS]).text().decode())
    for verdict in ("ended", "failed", "left"):
        assert page["voicefleet_calls_total", (("verdict", verdict),)] == 0
    assert not any(name == "voicefleet_http_requests_total" for name, _ in page)


def test_counters_gauges_and_histograms_are_kept_apart() -> None:
    meter = Meter([metrics.CALLS, metrics.WATCHERS, metrics.QUEUE_WAIT])
    meter.count(metrics.CALLS, verdict="ended")
    meter.count(metrics.CALLS, 2, verdict="ended")
    meter.set(metrics.WATCHERS, 7)
    meter.observe(metrics.QUEUE_WAIT, 3)
    page = read_page(meter.text().decode())
    assert page["voicefleet_calls_total", (("verdict", "ended"),)] == 3
    assert page["voicefleet_watchers", ()] == 7
    assert page["voicefleet_queue_wait_seconds_bucket", (("le", "2.0"),)] == 0
    assert page["voicefleet_queue_wait_seconds_bucket", (("le", "5.0"),)] == 1
    with pytest.raises(TypeError):
        meter.count(metrics.WATCHERS)
    with pytest.raises(TypeError):
        meter.set(metrics.CALLS, 1, verdict="ended")
    with pytest.raises(TypeError):
        meter.observe(metrics.WATCHERS, 1)
    with pytest.raises(KeyError):
        meter.set(metrics.SLOTS, 1)


def test_what_others_count_is_shown_beside() -> None:
    readings = [
        (metrics.SLOTS, {}, 50.0),
        (metrics.CLAIMS, {"warm": "true"}, 12.0),
        (metrics.CLAIMS, {"warm": "false"}, 1.0),
    ]
    page = read_page(Meter([metrics.WATCHERS]).text(readings).decode())
    assert page["voicefleet_slots", ()] == 50
    assert page["voicefleet_claims_total", (("warm", "true"),)] == 12
    assert page["voicefleet_claims_total", (("warm", "false"),)] == 1
    assert ("voicefleet_watchers", ()) in page
