"""`/metrics` of a worker: what its calls measure, and how it and its processes are."""

from __future__ import annotations

from collections.abc import Iterator

from telemetry import metrics
from telemetry.meter import Meter, Reading
from telemetry.version import VERSION
from worker.host.admission import Gate
from worker.host.figures import process_readings
from worker.host.pool import Crash, Pool
from worker.settings import WorkerSettings


class Scrape:
    """Answers scrapes."""

    def __init__(self, settings: WorkerSettings, pool: Pool, gate: Gate) -> None:
        self.meter = Meter(metrics.WORKER_EVENTS, metrics.OF_CALLS, metrics.TRACES)
        self._settings = settings
        self._pool = pool
        self._gate = gate

    def note_crash(self, _: Crash) -> None:
        """Count a process that ended in the middle of a call."""
        self.meter.count(metrics.WORKER_CRASHES)

    def note_warm(self, took_s: float) -> None:
        """Note how long a process took until it was warm."""
        self.meter.observe(metrics.WORKER_READY, took_s)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return self.meter.text([*self._readings(), *process_readings(self._pool.pids)])

    def _readings(self) -> Iterator[Reading]:
        pool, gate = self._pool, self._gate
        isolation = str(self._settings.isolation)
        yield metrics.WORKER_INFO, {"version": VERSION, "isolation": isolation}, 1
        yield metrics.WORKER_CAPACITY, {}, gate.capacity
        yield metrics.WORKER_CALLS, {}, pool.active
        yield metrics.WORKER_WARM, {}, pool.idle
        yield metrics.WORKER_TARGET, {}, pool.target
        yield metrics.WORKER_LIMITED, {}, pool.failures > 0
        yield metrics.WORKER_DRAINING, {}, gate.is_draining or gate.is_paused
        yield metrics.WORKER_REGISTERED, {}, pool.is_registered
        yield metrics.WORKER_SPAWNED, {}, pool.spawned
