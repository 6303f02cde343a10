"""Server-sent events the way OpenAI's clients read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MEDIA_TYPE = "text/event-stream"
#: Proxies must neither keep nor collect the events.
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
#: Ends a chat stream.
DONE = b"data: [DONE]\n\n"


def event(data: Mapping[str, Any]) -> bytes:
    """One event. ASCII only, so no line separator can hide in it."""
    return f"data: {json.dumps(data, separators=(',', ':'), allow_nan=False)}\n\n".encode("ascii")
