"""What the user types.

The framework passes over the words of a participant it has not heard of yet, and the server may
tell of one who does not publish 3 s late. Here who sent them is all that counts. What is longer
than a turn needs to be is cut off.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from livekit import rtc
from livekit.agents import AgentSession

from worker.tools.call import Wishes

logger = logging.getLogger(__name__)

_TOPIC = "lk.chat"
_MAX_CHARS = 4000
#: How long one message may take to arrive, and the agent to fall silent for it.
_ARRIVAL_S = 10.0
_SILENCE_S = 5.0


class Chat:
    """Answers the typed words of one participant; those of others are not read."""

    def __init__(self, session: AgentSession[Wishes], room: rtc.Room) -> None:
        self._session = session
        self._room = room
        self._identity = ""
        self._tasks: set[asyncio.Task[None]] = set()

    def listen(self, identity: str) -> None:
        """Take messages of this participant from now on; the room need not be joined yet."""
        self._identity = identity
        self._room.register_text_stream_handler(_TOPIC, self._on_message)

    async def aclose(self) -> None:
        """Take no more messages."""
        with suppress(ValueError):
            self._room.unregister_text_stream_handler(_TOPIC)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _on_message(self, reader: rtc.TextStreamReader, identity: str) -> None:
        if identity != self._identity:
            reader.close()
            logger.info("words of somebody else")
            return
        task = asyncio.create_task(self._take(reader))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, reader: rtc.TextStreamReader) -> None:
        try:
            async with asyncio.timeout(_ARRIVAL_S):
                text = await _read(reader)
        except (rtc.StreamError, TimeoutError) as error:
            logger.warning("message did not arrive", extra={"error": type(error).__name__})
            return
        finally:
            reader.close()
        if text.strip():
            await self._answer(text)

    async def _answer(self, text: str) -> None:
        self._session.reset_away_timer()
        try:
            with suppress(RuntimeError):  # what must not be interrupted is heard first
                await asyncio.wait({self._session.interrupt()}, timeout=_SILENCE_S)
            self._session.generate_reply(user_input=text)
        except RuntimeError:
            logger.info("message came when the conversation was over")


async def _read(reader: rtc.TextStreamReader) -> str:
    text = ""
    async for piece in reader:
        text += piece
        if len(text) > _MAX_CHARS:
            return text[:_MAX_CHARS]
    return text
