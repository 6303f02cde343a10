"""A transcript with its times, in each shape that has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from localvoice.audio.transcriber import Segment, Transcript

#: verbose_json names the language in full; only the common one needs a name here.
_LANGUAGE_NAMES = {"en": "english"}


def verbose(transcript: Transcript, granularities: frozenset[str]) -> dict[str, Any]:
    """OpenAI's ``verbose_json``, without its usage."""
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": _LANGUAGE_NAMES.get(transcript.language, transcript.language),
        "duration": transcript.duration_s,
        "text": transcript.text,
    }
    if "segment" in granularities:
        body["segments"] = [_without_words(segment) for segment in transcript.segments]
    if "word" in granularities:
        body["words"] = [asdict(word) for segment in transcript.segments for word in segment.words]
    return body


def srt(segments: Iterable[Segment]) -> str:
    """SubRip."""
    return "".join(
        f"{number}\n{_clock(item.start, ',')} --> {_clock(item.end, ',')}\n{item.text.strip()}\n\n"
        for number, item in enumerate(segments, start=1)
    )


def vtt(segments: Iterable[Segment]) -> str:
    """WebVTT."""
    return "WEBVTT\n\n" + "".join(
        f"{_clock(item.start, '.')} --> {_clock(item.end, '.')}\n{item.text.strip()}\n\n"
        for item in segments
    )


def _without_words(segment: Segment) -> dict[str, Any]:
    fields = asdict(segment)
    del fields["words"]
    return fields


def _clock(seconds: float, separator: str) -> str:
    total_ms = round(seconds * 1000)
    minutes, ms = divmod(total_ms, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{ms // 1000:02}{separator}{ms % 1000:03}"
