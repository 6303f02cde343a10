"""Every metric, its labels and its meaning, in one table. Prometheus' naming conventions.

No user, session or room is ever a label: their number has no bound, and they are nobody's business.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

#: Edges on what is promised: a start within 50 ms, an answer within a second.
_REQUEST_EDGES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_OUTCOMES = ("started", "queued", "resumed", "repeated", "refused", "failed")
_RESULTS = ("applied", "repeated", "foreign_room", "of_no_matter", "unknown_session", "refused")


class ApiMetrics:
    """What a token server counts. Each application has its own, so that two can live together."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._counter(
            "voicefleet_http_requests_total",
            "Requests that were answered, by method, route and status.",
            "method",
            "route",
            "status",
        )
        self.durations = Histogram(
            "voicefleet_http_request_duration_seconds",
            "How long answers took, but for a session's own, which may wait for a change.",
            ("route",),
            buckets=_REQUEST_EDGES_S,
            registry=self.registry,
        )
        self.rate_limited = self._counter(
            "voicefleet_http_rate_limited_total",
            "Requests that were refused because their caller sends too many.",
            "route",
        )
        self.starts = self._counter(
            "voicefleet_session_starts_total", "Sessions asked for, by what came of it.", "outcome"
        )
        self.webhooks = self._counter(
            "voicefleet_webhooks_total", "Webhooks of LiveKit, by what came of them.", "result"
        )
        self.watchers = self._gauge(
            "voicefleet_watchers", "Long polls and event streams that are open."
        )
        self.breakers = self._gauge(
            "voicefleet_breaker_open",
            "1 while the circuit to a neighbour is open, 0.5 while it is tried out, else 0.",
            "dependency",
        )
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Show what has never happened as 0, not as missing."""
        for outcome in _OUTCOMES:
            self.starts.labels(outcome)
        for result in _RESULTS:
            self.webhooks.labels(result)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)
