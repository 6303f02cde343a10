"""Figures on their way from a process that has calls to the one that is scraped.

Processes come and go with calls, so none of them is scraped, and none keeps files of figures that
somebody would have to add up and clean away: they send what they measure to their worker, as
datagrams on a socket in the file system. Nothing waits for it: what the worker does not take is
tried again for as long as there is room for it here, and then dropped, the oldest first.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections import deque
from contextlib import suppress
from typing import Protocol

from telemetry.metric import Kind, Metric

logger = logging.getLogger(__name__)

#: What has come together until then goes in one datagram.
_SENT_AFTER_S = 0.1
_TRIED_AGAIN_AFTER_S = 0.5
#: Small enough for a socket's buffer on every system (macOS: 2048 bytes by default).
MAX_DATAGRAM_BYTES = 2_000
_MOST_WAITING = 500

#: Name of a metric, a number, labels.
Row = tuple[str, float, dict[str, str]]


class Figures(Protocol):
    """Whoever takes what is measured."""

    def count(self, metric: Metric, amount: float = 1, /, **labels: str) -> None:
        """Count more of a counter."""

    def observe(self, metric: Metric, value: float, /, **labels: str) -> None:
        """Note one value of a histogram."""


class FigureSender:
    """Sends them to a worker, from the one event loop of a process."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._rows: deque[Row] = deque(maxlen=_MOST_WAITING)
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def count(self, metric: Metric, amount: float = 1, /, **labels: str) -> None:
        """See `Figures`."""
        self._take(metric, Kind.COUNTER, amount, labels)

    def observe(self, metric: Metric, value: float, /, **labels: str) -> None:
        """See `Figures`."""
        self._take(metric, Kind.HISTOGRAM, value, labels)

    def count_from_thread(self, metric: Metric, amount: float) -> None:
        """Count more of a counter, from any thread, once figures have come from the event loop."""
        if self._loop is not None:
            # At the very end of a process it is closed.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.count, metric, amount)

    def flush(self) -> None:
        """Send what waits, as far as it is taken; a worker that is gone takes nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._rows:
            rows, text = self._next_datagram()
            try:
                self._connected().send(text)
            except (BlockingIOError, InterruptedError):
                self._rows.extendleft(reversed(rows))
                self._flush_in(_TRIED_AGAIN_AFTER_S)
                return
            except OSError as error:
                self._give_up(error)
                return

    def close(self) -> None:
        """Send the last ones, and let go of the socket."""
        self.flush()
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            self._socket.close()

    def _take(self, metric: Metric, kind: Kind, value: float, labels: dict[str, str]) -> None:
        if metric.kind is not kind:
            raise TypeError(f"{metric.name} is a {metric.kind}")
        self._rows.append((metric.name, value, labels))
        if self._timer is None:
            self._flush_in(_SENT_AFTER_S)

    def _flush_in(self, delay_s: float) -> None:
        # At the very end of a process there is no loop any more.
        with suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
            self._timer = self._loop.call_later(delay_s, self.flush)

    def _next_datagram(self) -> tuple[list[Row], bytes]:
        """Take as many rows from those that wait as go into one, and at least one."""
        rows: list[Row] = []
        texts: list[str] = []
        length = 2
        while self._rows:
            text = json.dumps(self._rows[0], separators=(",", ":"))
            length += len(text) + 1
            if rows and length > MAX_DATAGRAM_BYTES:
                break
            rows.append(self._rows.popleft())
            texts.append(text)
        return rows, f"[{','.join(texts)}]".encode()

    def _connected(self) -> socket.socket:
        if self._socket is None:
            # Kept before it is connected: whoever gives up closes it.
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._socket.connect(self._address)
        return self._socket

    def _give_up(self, error: OSError) -> None:
        logger.debug("figures not taken", extra={"error": type(error).__name__})
        self._rows.clear()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
