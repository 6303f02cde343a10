"""Who said what, as it arrives in LiveKit's `lk.transcription` text streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from livekit import rtc

TOPIC = "lk.transcription"

Speaker = Literal["user", "agent"]


@dataclass(kw_only=True)
class Line:
    """One utterance. Its text grows until it is final; times are those of `time.monotonic`."""

    id: str
    speaker: Speaker
    text: str
    is_final: bool
    began_at: float
    updated_at: float


class Transcript:
    """All lines of a call in the order in which they began."""

    def __init__(self, on_line: Callable[[Line], None]) -> None:
        self.lines: list[Line] = []
        self.user_track: str | None = None
        self._on_line = on_line
        self._tasks: set[asyncio.Task[None]] = set()

    def listen(self, room: rtc.Room) -> None:
        """Take the transcriptions of a room that is about to be joined."""
        room.register_text_stream_handler(TOPIC, self._on_stream)

    async def close(self) -> None:
        """Stop reading."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _on_stream(self, reader: rtc.TextStreamReader, _identity: str) -> None:
        task = asyncio.create_task(self._read(reader))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, reader: rtc.TextStreamReader) -> None:
        """Read one stream: the agent's grows by words, each of the user's replaces the last."""
        attributes = reader.info.attributes or {}
        is_user = attributes.get("lk.transcribed_track_id") == self.user_track
        line = self._line(
            attributes.get("lk.segment_id", reader.info.stream_id), "user" if is_user else "agent"
        )
        text = ""
        try:
            async for chunk in reader:
                text += chunk
                self._update(line, text, is_final=False)
        except rtc.StreamError:  # the room was closed in the middle of a sentence
            return
        finally:
            reader.close()
        is_final = not is_user or attributes.get("lk.transcription_final") == "true"
        self._update(line, text, is_final=is_final)

    def _line(self, segment: str, speaker: Speaker) -> Line:
        for line in self.lines:
            if line.id == segment:
                return line
        now = time.monotonic()
        line = Line(
            id=segment, speaker=speaker, text="", is_final=False, began_at=now, updated_at=now
        )
        self.lines.append(line)
        return line

    def _update(self, line: Line, text: str, *, is_final: bool) -> None:
        if line.is_final:
            return
        line.text, line.is_final, line.updated_at = text, is_final, time.monotonic()
        self._on_line(line)
