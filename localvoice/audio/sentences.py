"""Splits text into pieces that are spoken one after the other.

Short pieces come out sooner; pieces end where a speaker would breathe.
"""

from __future__ import annotations

import re
import unicodedata

#: A piece is at most this long, so that neither the wait nor the memory for one grows. Characters.
MAX_PIECE_CHARS = 240
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


def split(text: str) -> list[str]:
    """Speakable pieces of ``text`` in order; empty when there is nothing to say."""
    pieces: list[str] = []
    for sentence in _sentences(clean(text)):
        pieces.extend(_bounded(sentence))
    return [piece for piece in pieces if _SPEAKABLE.search(piece)]


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


def _bounded(sentence: str) -> list[str]:
    """Cut at clauses, else between words, else anywhere."""
    if len(sentence) <= MAX_PIECE_CHARS:
        return [sentence]
    parts = _CLAUSE_END.split(sentence)
    if len(parts) == 1:
        parts = [
            word[at : at + MAX_PIECE_CHARS]
            for word in sentence.split()
            for at in range(0, len(word), MAX_PIECE_CHARS)
        ]
    else:
        parts = [piece for part in parts for piece in _bounded(part)]
    return _joined(parts)


def _joined(parts: list[str]) -> list[str]:
    """Neighbours together again while they fit."""
    pieces: list[str] = []
    for part in parts:
        if pieces and len(pieces[-1]) + 1 + len(part) <= MAX_PIECE_CHARS:
            pieces[-1] = f"{pieces[-1]} {part}"
        else:
            pieces.append(part)
    return pieces
