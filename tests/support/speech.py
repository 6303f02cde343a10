"""A mouth and ears for tests: Piper speaks what a user says, Whisper hears what the agent said."""

from __future__ import annotations

import difflib
import io
import re
import wave

import httpx2

from devstack.talk.audio import Sound
from tests.support.plain import NO_TLS

_DEADLINE_S = 60.0
_RATE = 24_000  # of the `pcm` response format
_ALIKE = 0.8

_NUMBERS = {
    "zero": 0,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
}


async def speak(localvoice_url: str, text: str) -> Sound:
    """Return `text`, spoken."""
    async with httpx2.AsyncClient(timeout=_DEADLINE_S, verify=NO_TLS) as http:
        answer = await http.post(
            f"{localvoice_url}/v1/audio/speech",
            json={"model": "piper", "voice": "joe", "input": text, "response_format": "pcm"},
        )
    answer.raise_for_status()
    return Sound.from_pcm(answer.content, _RATE)


async def transcribe(localvoice_url: str, sound: Sound) -> str:
    """Return what is said in a sound."""
    return await transcribe_file(localvoice_url, "sound.wav", _wav(sound))


async def transcribe_file(localvoice_url: str, name: str, content: bytes) -> str:
    """Return what is said in a file; its name says what kind it is of."""
    async with httpx2.AsyncClient(timeout=_DEADLINE_S, verify=NO_TLS) as http:
        answer = await http.post(
            f"{localvoice_url}/v1/audio/transcriptions",
            data={"model": "whisper"},
            files={"file": (name, content)},
        )
    answer.raise_for_status()
    text: str = answer.json()["text"]
    return text


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, small numbers as digits."""
    plain = re.findall(r"[a-z0-9']+", text.lower())
    return [str(_NUMBERS.get(word, word)) for word in plain]


def is_alike(heard: str, said: str, least: float = _ALIKE) -> bool:
    """Whether a transcript is the sentence but for about one word in five.

    For what shall not depend on every word of the smallest Whisper: after a lossy codec, or with a
    prompt, it now and then hears "What a seven plus five?". Sound read at a wrong rate, or cut in
    half, is not alike.
    """
    return difflib.SequenceMatcher(None, words(heard), words(said)).ratio() >= least


def _wav(sound: Sound) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sound.rate)
        file.writeframes(sound.samples.astype("<i2").tobytes())
    return buffer.getvalue()
