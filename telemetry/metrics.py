"""Every metric, its labels and its meaning, in one table. Prometheus' naming conventions.

No user, session or room is ever a label: their number has no bound, and they are nobody's business.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

#: Edges on what is promised: a start within 50 ms, an answer within a second.
_REQUEST_EDGES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

#: Half an interval is late, a deadline is an accident.
_PASS_EDGES_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

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
        self.supervisor = SupervisorMetrics(self.registry)
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


class SupervisorMetrics:
    """What a supervisor counts: of itself, and of what it has put right while it led."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.leads = Gauge(
            "voicefleet_supervisor_leads",
            "1 while this process leads the supervision, else 0; all processes together: 1.",
            registry=registry,
        )
        self.stranded = Gauge(
            "voicefleet_supervisor_stranded_sessions",
            "Sessions that wait for an agent while no worker is there; alert on any.",
            registry=registry,
        )
        self._passes = Histogram(
            "voicefleet_supervisor_pass_duration_seconds",
            "How long one look of a loop took.",
            ("loop",),
            buckets=_PASS_EDGES_S,
            registry=registry,
        )
        self._failures = Counter(
            "voicefleet_supervisor_pass_failures_total",
            "Looks of a loop that failed for a reason nobody has thought of, or took too long.",
            ("loop",),
            registry=registry,
        )
        self._repairs = Counter(
            "voicefleet_supervisor_repairs_total",
            "What a loop has put right: agents sent, agents written off, rooms closed.",
            ("loop",),
            registry=registry,
        )

    def note_pass(self, loop: str, duration_s: float, repairs: int, *, is_well: bool) -> None:
        """Count one look of a loop."""
        self._passes.labels(loop).observe(duration_s)
        self._repairs.labels(loop).inc(repairs)
        self._failures.labels(loop).inc(not is_well)
