"""What is told: one thing that happened, as the Standard Webhooks spec wants its body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing that happened.

    Whoever is told it twice knows it by its id, so that is made of what happened, not of when it
    was told.
    """

    #: Letters, digits, `_` and `-` only: what is signed is divided by dots.
    id: str
    #: For programs: `session.started`.
    type: str
    #: When it happened, in ms since 1970.
    at_ms: int
    data: Mapping[str, object]

    def to_json(self) -> bytes:
        """Return the body: the same bytes for the same message."""
        body = {"type": self.type, "timestamp": iso_time(self.at_ms), "data": dict(self.data)}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def iso_time(at_ms: int) -> str:
    """Return a time in ms since 1970 as ISO 8601 has it, in UTC: `2026-03-01T09:05:07.123Z`."""
    seconds, ms = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03}Z"
