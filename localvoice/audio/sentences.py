"""Splits text into pieces that are spoken one after the other.

Short pieces come out sooner; pieces end where a speaker would breathe.
"""

from __future__ import annotations

import re
import unicodedata

#: A piece takes at most as long to say as this many letters (about 15 s), so that neither the
#: wait nor the memory for one grows.
MAX_LETTERS = 240
#: A digit, a sign or a foreign character is a word when spoken: as long as so many letters.
_LETTERS_PER_SIGN = 8
#: More digits in a row than this are read one by one, as a person would. Digits.
_MAX_DIGITS = 15

_SENTENCE_END = re.compile(r"(?<=[.!?…])([\"')\]]*)\s+|[\r\n]+")
_CLAUSE_END = re.compile(r"(?<=[,;:])\s+")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:mr|mrs|ms|dr|st|prof|sr|jr|vs|etc|e\.g|i\.e|no|approx|[A-Za-z])\.$",
    re.IGNORECASE,
)
_LONG_NUMBER = re.compile(rf"\d{{{_MAX_DIGITS + 1},}}")
_BRACKETS = re.compile(r"\[{2,}|\]{2,}")
_SIGN = re.compile(r"[^A-Za-z\s.,;:!?'\"()-]")
_SPEAKABLE = re.compile(r"\w")


def clean(text: str) -> str:
    """Text that is safe to hand to the voice: no controls, no inline phonemes.

    ``[[…]]`` is Piper's notation for raw phonemes; a caller's text is only ever read aloud.
    """
    kept = "".join(
        " "
        if unicodedata.category(char) in {"Cc", "Cs", "Co", "Cn"} and char not in "\r\n"
        else char
        for char in text
    )
    kept = _BRACKETS.sub(lambda brackets: brackets.group()[0], kept)
    return _LONG_NUMBER.sub(lambda digits: " ".join(digits.group()), kept)


def split(text: str, max_letters: int = MAX_LETTERS) -> list[str]:
    """Speakable pieces of ``text`` in order; empty when there is nothing to say."""
    pieces: list[str] = []
    for sentence in _sentences(clean(text)):
        pieces.extend(_bounded(sentence, max_letters))
    return [piece for piece in pieces if _SPEAKABLE.search(piece)]


def spoken_length(text: str) -> int:
    """How long the text takes to say, in letters."""
    return len(text) + (_LETTERS_PER_SIGN - 1) * len(_SIGN.findall(text))


def _sentences(text: str) -> list[str]:
    sentences: list[str] = []
    held = ""
    start = 0
    for end in _SENTENCE_END.finditer(text):
        stop = end.end(1) if end.group(1) else end.start()
        held = f"{held} {text[start:stop].strip()}".strip()
        start = end.end()
        # "Dr. Who" and "C. A. T." go on; a line break always ends.
        if _ABBREVIATION.search(held[-12:]) and "\n" not in end.group():
            continue
        sentences.append(held)
        held = ""
    sentences.append(f"{held} {text[start:].strip()}".strip())
    return [sentence for sentence in sentences if sentence]


def _bounded(sentence: str, limit: int) -> list[str]:
    """Cut at clauses, else between words, else anywhere."""
    if spoken_length(sentence) <= limit:
        return [sentence]
    parts = _CLAUSE_END.split(sentence)
    if len(parts) > 1:
        return _joined([piece for part in parts for piece in _bounded(part, limit)], limit)
    return _joined([part for word in sentence.split() for part in _cut(word, limit)], limit)


def _cut(word: str, limit: int) -> list[str]:
    if spoken_length(word) <= limit:
        return [word]
    size = max(1, limit // _LETTERS_PER_SIGN)
    return [word[at : at + size] for at in range(0, len(word), size)]


def _joined(parts: list[str], limit: int) -> list[str]:
    """Neighbours together again while they fit."""
    pieces: list[str] = []
    room = 0
    for part in parts:
        length = spoken_length(part)
        if pieces and length + 1 <= room:
            pieces[-1] = f"{pieces[-1]} {part}"
            room -= length + 1
        else:
            pieces.append(part)
            room = limit - length
    return pieces
