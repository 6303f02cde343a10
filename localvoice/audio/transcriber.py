"""Whisper on the CPU: samples to text."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, SupportsFloat

import numpy as np
from faster_whisper import WhisperModel

from localvoice.audio.decoding import SAMPLE_RATE, Samples
from localvoice.errors import ApiError

#: Tried in turn while a result looks wrong (repetition, low probability). One retry only:
#: each costs as much as the first attempt, and someone is waiting to be answered.
_TEMPERATURES = (0.0, 0.4)
#: A segment that compresses better than this repeats itself: invented, not heard.
_MAX_COMPRESSION = 2.4
#: Above it Whisper itself doubts that anybody spoke.
_MAX_NO_SPEECH = 0.6
#: Mean log probability under which a segment is a guess.
_MIN_LOGPROB = -1.0
#: Whisper's window takes 448 tokens, prompt included.
_MAX_PROMPT_CHARS = 600
_MAX_NEW_TOKENS = 200


@dataclass(frozen=True)
class Word:
    """One word and when it was said, in seconds from the start."""

    word: str
    start: float
    end: float


@dataclass(frozen=True)
class Segment:
    """A stretch of speech; the fields are those of OpenAI's verbose_json."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Transcript:
    """What was said. ``duration_s`` is the length of the recording; ``text`` may be empty."""

    text: str
    language: str
    duration_s: float
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Wish:
    """What the caller asked for beside the text."""

    language: str | None = None
    prompt: str | None = None
    temperature: float = 0.0
    timestamps: bool = False
    word_timestamps: bool = False


class _FoundWord(Protocol):
    """A word as faster-whisper, which has no types, returns it."""

    word: str
    start: SupportsFloat
    end: SupportsFloat


class _Found(Protocol):
    """A segment as faster-whisper returns it."""

    seek: int
    start: SupportsFloat
    end: SupportsFloat
    text: str
    tokens: Sequence[int]
    temperature: SupportsFloat | None
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: Sequence[_FoundWord] | None


class Transcriber:
    """A loaded Whisper model. ``transcribe`` may be called from several threads."""

    def __init__(self, model_dir: Path, *, concurrency: int, cpu_threads: int) -> None:
        """Load the model: about a second and 150 MB. ``cpu_threads`` 0 divides the processors."""
        threads = cpu_threads or max(1, (os.cpu_count() or 1) // concurrency)
        self._model = WhisperModel(
            str(model_dir),
            device="cpu",
            compute_type="int8",
            cpu_threads=threads,
            num_workers=concurrency,
            local_files_only=True,
        )
        # The first use of a model is slower; let nobody's first sentence pay for it.
        self.transcribe(np.zeros(SAMPLE_RATE, dtype=np.float32), Wish(), listen=False)

    @property
    def languages(self) -> frozenset[str]:
        """Language codes the model knows."""
        return frozenset(self._model.supported_languages)

    def transcribe(
        self,
        samples: Samples,
        wish: Wish,
        *,
        cancelled: Callable[[], bool] = lambda: False,
        listen: bool = True,
    ) -> Transcript:
        """Blocking; about 0.4 s of two cores per 30 s window with speech in it.

        With ``listen`` a voice detector goes first: silence and noise cost milliseconds and
        come out as empty text. Stops between windows when ``cancelled`` turns true.
        """
        found, info = self._model.transcribe(
            samples,
            language=wish.language or (None if self._model.model.is_multilingual else "en"),
            beam_size=1,
            # A retry draws once; the default of five made one bad window cost ten seconds.
            best_of=1,
            temperature=[wish.temperature] if wish.temperature else _TEMPERATURES,
            initial_prompt=(wish.prompt or "")[-_MAX_PROMPT_CHARS:] or None,
            without_timestamps=not (wish.timestamps or wish.word_timestamps),
            word_timestamps=wish.word_timestamps,
            # A mistake in one window must not be carried on into the next.
            condition_on_previous_text=False,
            vad_filter=listen,
            max_new_tokens=_MAX_NEW_TOKENS,
        )
        segments: list[Segment] = []
        for item in found:
            if cancelled():
                break
            if _was_heard(item):
                segments.append(_segment(len(segments), item))
        return Transcript(
            text=" ".join(segment.text.strip() for segment in segments).strip(),
            language=info.language,
            duration_s=round(len(samples) / SAMPLE_RATE, 3),
            segments=tuple(segments),
        )


def language_code(name: str, known: frozenset[str]) -> str:
    """``en``, ``en-US`` and ``English`` all mean ``en``. Raises ApiError for an unknown one."""
    wanted = name.strip().lower()
    code = "en" if wanted == "english" else wanted.replace("_", "-").split("-")[0]
    if code not in known:
        listed = ", ".join(sorted(known)) if len(known) < 10 else f"{len(known)} others"
        raise ApiError(
            f"the speech model does not know this language; it knows: {listed}",
            param="language",
            code="unsupported_language",
        )
    return code


def _was_heard(item: _Found) -> bool:
    """False for what Whisper makes up when nobody spoke."""
    guessed = item.avg_logprob < _MIN_LOGPROB
    return not (item.compression_ratio > _MAX_COMPRESSION and guessed) and not (
        item.no_speech_prob > _MAX_NO_SPEECH and guessed
    )


def _segment(number: int, item: _Found) -> Segment:
    words = tuple(Word(w.word.strip(), _number(w.start), _number(w.end)) for w in item.words or ())
    return Segment(
        id=number,
        seek=int(item.seek),
        start=_number(item.start),
        end=_number(item.end),
        text=item.text,
        tokens=[int(token) for token in item.tokens],
        temperature=_number(item.temperature),
        avg_logprob=_number(item.avg_logprob),
        compression_ratio=_number(item.compression_ratio),
        no_speech_prob=_number(item.no_speech_prob),
        words=words,
    )


def _number(value: SupportsFloat | None) -> float:
    """A JSON number: the model's own may be numpy's, or not finite."""
    number = float(value or 0.0)
    return round(number, 4) if math.isfinite(number) else 0.0
