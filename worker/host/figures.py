"""What the processes of this worker measure, and what the kernel tells of them.

They send it to a socket that only their own user can reach (telemetry/figures.py). Nothing of it is
believed: what is no row of the table, or has a label that the table does not know, is counted as
lost, so that no process can make the page grow.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import secrets
import socket
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from telemetry.meter import Meter, Reading
from telemetry.metric import Kind, Metric
from telemetry.metrics import (
    FIGURES_LOST,
    JOB_MEMORY,
    JOB_PROCESSES,
    OF_CALLS,
    TRACES,
)
from worker.host.memory import resident_bytes

logger = logging.getLogger(__name__)

_TABLE = {metric.name: metric for metric in (*OF_CALLS, *TRACES)}


def figures_address() -> str:
    """Return a path for the socket of a worker; short, for systems have little room for it."""
    name = f"voicefleet-{os.getpid()}-{secrets.token_hex(4)}"
    return str(Path(tempfile.gettempdir()) / name / "figures")


class FigureReceiver(asyncio.DatagramProtocol):
    """Takes figures, and counts them in a meter."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def datagram_received(self, data: bytes, _: object) -> None:
        """Count the rows of a datagram."""
        try:
            rows = json.loads(data)
        except (ValueError, RecursionError):
            rows = [None]
        for row in rows if isinstance(rows, list) else [None]:
            if not self._take(row):
                self._meter.count(FIGURES_LOST)

    def _take(self, row: object) -> bool:
        match row:
            case [str(name), int() | float() as value, dict(labels)] if not isinstance(value, bool):
                metric = _TABLE.get(name)
            case _:
                return False
        if metric is None or not math.isfinite(value) or value < 0 or not _fits(metric, labels):
            return False
        add = self._meter.count if metric.kind is Kind.COUNTER else self._meter.observe
        add(metric, value, **labels)
        return True


@asynccontextmanager
async def receiving(address: str, meter: Meter) -> AsyncIterator[None]:
    """Take figures at an address, in a folder of its own; where none can be made, go on without."""
    folder = Path(address).parent
    transport: asyncio.DatagramTransport | None = None
    try:
        folder.mkdir(mode=0o700)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: FigureReceiver(meter), local_addr=address, family=socket.AF_UNIX
        )
    except OSError as error:
        logger.warning(
            "figures of calls are not taken: no socket can be made",
            extra={"folder": str(folder), "error": str(error)},
        )
    try:
        yield
    finally:
        if transport is not None:
            transport.close()
        _tidy(Path(address))


def _tidy(address: Path) -> None:
    with suppress(OSError):
        address.unlink(missing_ok=True)
        address.parent.rmdir()


def process_readings(pids: Iterable[int]) -> Iterator[Reading]:
    """Yield what the kernel tells of some processes; one that is gone tells nothing."""
    resident = [resident_bytes(pid) for pid in set(pids)]
    yield JOB_PROCESSES, {}, len(resident)
    yield JOB_MEMORY, {}, sum(one or 0 for one in resident)


def _fits(metric: Metric, labels: dict[object, object]) -> bool:
    """Say whether these are the labels of a metric, and say what they may say."""
    if set(labels) != set(metric.labels):
        return False
    return all(labels[name] in known for name, known in metric.labels.items())
