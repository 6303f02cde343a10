"""What a page has let its user hear, in words."""

from __future__ import annotations

import io

import av
import numpy as np
from playwright.async_api import Page

from devstack.talk.audio import Sound
from tests.support.browser import recording
from tests.support.speech import transcribe, words

_RATE = 24_000


async def heard_words(localvoice_url: str, page: Page) -> list[str]:
    """Return the words that Whisper hears on the track that came last."""
    return words(await transcribe(localvoice_url, _decoded(await recording(page))))


def _decoded(webm: bytes) -> Sound:
    """Return a recording as sound. One that has just begun has none yet."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE)
    pieces: list[np.ndarray[tuple[int, ...], np.dtype[np.int16]]] = []
    if webm:
        with av.open(io.BytesIO(webm)) as file:
            for frame in file.decode(audio=0):
                pieces += [piece.to_ndarray().reshape(-1) for piece in resampler.resample(frame)]
    samples = np.concatenate(pieces) if pieces else np.zeros(_RATE, np.int16)
    return Sound(samples, _RATE)
