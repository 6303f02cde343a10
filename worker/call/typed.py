"""What the user types, within bounds.

The framework reads each message to its end and answers it, however long it is and however many
there are; every one of them interrupts the agent and is sent to the language model. Here a message
is read up to a length, only the user's are read, and only so many.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from livekit import rtc
from livekit.rtc.data_stream import StreamError

logger = logging.getLogger(__name__)

#: LiveKit's clients send chat messages under it (LiveKit docs, "Text and transcriptions").
_TOPIC = "lk.chat"
#: What is longer is cut off.
MAX_CHARS = 4_000
#: So many at once, and one more each second.
BURST = 5
_PER_S = 1.0
#: A message that does not end is taken for what has come by then.
_READ_WITHIN_S = 5.0


class Allowance:
    """A bucket of tokens: `burst` at once, then `per_s` each second, by the monotonic clock."""

    def __init__(
        self, burst: int, per_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst, self._per_s, self._clock = burst, per_s, clock
        self._left, self._at = float(burst), clock()

    def take(self) -> bool:
        """Take one; False when there is none."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class TypedInput:
    """Hands on what the user types, one message after the other.

    `user` tells whose messages count: nobody's while it is empty.
    """

    def __init__(
        self, room: rtc.Room, user: Callable[[], str], on_text: Callable[[str], Awaitable[None]]
    ) -> None:
        self._room = room
        self._user = user
        self._on_text = on_text
        self._allowance = Allowance(BURST, _PER_S)
        self._last: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_warned = False

    def listen(self) -> None:
        """Take messages from now on; the room need not be joined yet."""
        self._room.register_text_stream_handler(_TOPIC, self._on_stream)

    def close(self) -> None:
        """Take none any more. Can be called again."""
        self._room.unregister_text_stream_handler(_TOPIC)
        for task in self._tasks:
            task.cancel()

    def _on_stream(self, reader: rtc.TextStreamReader, identity: str) -> None:
        if not identity or identity != self._user():
            reader.close()
            return
        if len(self._tasks) >= BURST or not self._allowance.take():
            reader.close()
            if not self._has_warned:
                logger.warning("too many messages; some are passed over")
            self._has_warned = True
            return
        task = self._last = asyncio.create_task(self._take(reader, self._last))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, reader: rtc.TextStreamReader, before: asyncio.Task[None] | None) -> None:
        """Read a message, at the same time as others, and hand it on after the one `before`."""
        text = await _read(reader)
        if before is not None:
            await asyncio.wait({before})
        if not text.strip():
            return
        try:
            await self._on_text(text)
        except Exception:
            # One message is not worth a call.
            logger.exception("a message was passed over")


async def _read(reader: rtc.TextStreamReader) -> str:
    """Return the beginning of a message; what has come when it breaks off or never ends."""
    text = ""
    try:
        with suppress(TimeoutError, StreamError):
            async with asyncio.timeout(_READ_WITHIN_S):
                async for piece in reader:
                    text += piece[: MAX_CHARS - len(text)]
                    if len(text) >= MAX_CHARS:
                        break
    finally:
        reader.close()
    return text
