"""One line of JSON per log record, on standard error.

The keys are those of livekit-agents' own JSON formatter (``message``, ``level``, ``name``,
``timestamp`` and every ``extra``), so that one parser reads the lines of all services.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

from telemetry.redaction import redact_fields, redact_text

#: What ``logging`` itself puts on a record; everything else came in through ``extra``.
_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {
    "asctime",
    "color_message",  # uvicorn's copy of the message with terminal colours
    "message",
    "taskName",
}


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object; newlines and control characters come out escaped."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname,
            "service": self._service,
            "name": record.name,
            "message": redact_text(record.getMessage()),
        }
        extras = {key: value for key, value in vars(record).items() if key not in _STANDARD_FIELDS}
        fields |= redact_fields(extras)
        if record.exc_info:
            fields["exception"] = redact_text("".join(traceback.format_exception(*record.exc_info)))
        return _ENCODER.encode(fields)


def _as_text(value: object) -> str:
    """Show what JSON has no form for: an exception or bytes may hold a secret, too."""
    return redact_text(str(value))


_ENCODER = json.JSONEncoder(default=_as_text)


def configure_logging(service: str, level: str = "INFO") -> None:
    """Send every record of this process to standard error as JSON.

    ``service`` names the process in each line; ``level`` is a logging level name. Existing
    handlers are replaced, so calling it twice does no harm.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Third parties at INFO tell of every request and every model step; ours suffice.
    for noisy in ("faster_whisper", "httpcore2", "httpx2", "openai", "piper"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def complete_lines(subjects: logging.Filter) -> None:
    """Have a filter add to each record of this process, from now on, what it knows of it."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(subjects)
