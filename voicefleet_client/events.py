"""Reads server-sent events (WHATWG HTML, section 9.2), as far as our server uses them."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator

from voicefleet_client.answers import MAX_LINE_BYTES, understanding
from voicefleet_client.errors import Unreachable
from voicefleet_client.models import SessionView

#: Ours have one.
_MAX_DATA_LINES = 100


async def read_views(
    lines: AsyncIterator[str], silence_s: float
) -> AsyncGenerator[SessionView | None]:
    """Yield the sessions that a stream tells of; None for a comment, which keeps it alive.

    Raises Unreachable for an event that is none of ours or does not end, and for a stream that
    has said neither for too long.
    """
    data: list[str] = []
    since = time.monotonic()
    async for line in lines:
        name, _, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
            if sum(map(len, data)) > MAX_LINE_BYTES or len(data) > _MAX_DATA_LINES:
                raise Unreachable("something answered with an event that does not end")
        elif not line and data:
            with understanding():
                view = SessionView.from_json(json.loads("\n".join(data)))
            yield view
            data, since = [], time.monotonic()
        elif line.startswith(":"):
            yield None
            since = time.monotonic()
        if time.monotonic() - since > silence_s:
            raise Unreachable("something answers, but says nothing of use")
