"""Numbers as people say them, and back."""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
    "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SMALL = (
    {word: value for value, word in enumerate(_UNITS)}
    | {word: 10 * value for value, word in enumerate(_TENS, start=2)}
    | {"oh": 0, "fourty": 40}
)
_BIG = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_DIGITS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+")
#: More digits than this after a point are not spoken.
_DECIMALS = 6


def is_number_word(word: str) -> bool:
    """Whether the word can be part of a spoken number."""
    return word in _SMALL or word in _BIG or word in {"hundred", "dozen", "point"}


def read(text: str) -> Fraction | None:
    """The number that ``text`` is, whole: ``"twenty-one"``, ``"3,500"``, ``"minus 2.5"``."""
    words = text.replace("-", " ").split() if not text.startswith("-") else ["minus", text[1:]]
    if words[:1] in (["minus"], ["negative"]):
        value = read(" ".join(words[1:]))
        return None if value is None else -value
    if len(words) == 1 and _DIGITS.fullmatch(words[0]):
        return Fraction(words[0].replace(",", ""))
    if "point" in words:
        return _read_decimal(words)
    return _read_words(words)


def _read_decimal(words: list[str]) -> Fraction | None:
    at = words.index("point")
    whole = _read_words(words[:at]) if at else Fraction(0)
    digits = [str(_SMALL.get(word, word)) for word in words[at + 1 :]]
    if whole is None or not digits or not all(d.isdecimal() and len(d) == 1 for d in digits):
        return None
    return whole + Fraction(f"0.{''.join(digits)}")


def _read_words(words: list[str]) -> Fraction | None:
    total: Fraction = Fraction(0)
    group: Fraction = Fraction(0)
    seen = False
    for at, word in enumerate(words):
        if word == "and" and seen and at + 1 < len(words):
            continue
        if word in {"a", "an"} and words[at + 1 : at + 2] in (["hundred"], ["thousand"], ["dozen"]):
            continue
        if word in _SMALL:
            group += _SMALL[word]
        elif _DIGITS.fullmatch(word):
            group += Fraction(word.replace(",", ""))
        elif word == "hundred":
            group = (group or Fraction(1)) * 100
        elif word == "dozen":
            group = (group or Fraction(1)) * 12
        elif word in _BIG:
            total += (group or Fraction(1)) * _BIG[word]
            group = Fraction(0)
        else:
            return None
        seen = True
    return total + group if seen else None


def find(text: str) -> list[Fraction]:
    """Every number in ``text`` (digits, or single runs of number words), in order."""
    found: list[Fraction] = []
    run: list[str] = []
    for word in [*text.replace("-", " ").split(), ""]:
        if is_number_word(word):
            run.append(word)
            continue
        if run and (value := read(" ".join(run))) is not None:
            found.append(value)
        run = []
        if _DIGITS.fullmatch(word):
            found.append(Fraction(word.replace(",", "")))
    return found


def spoken(value: Fraction) -> str:
    """Digits for the voice to read: ``12``, ``minus 5``, ``0.333333``."""
    sign = "minus " if value < 0 else ""
    value = abs(value)
    if value.denominator == 1:
        return f"{sign}{value.numerator}"
    return sign + f"{float(value):.{_DECIMALS}f}".rstrip("0").rstrip(".")


def is_exact(value: Fraction) -> bool:
    """Whether ``spoken`` says all of it."""
    return Fraction(round(value * 10**_DECIMALS), 10**_DECIMALS) == value


def in_words(value: int) -> str:
    """``42`` as ``forty-two``; from 0 to 999."""
    if value < len(_UNITS):
        return _UNITS[value]
    if value < 100:
        tens, rest = divmod(value, 10)
        return _TENS[tens - 2] + (f"-{_UNITS[rest]}" if rest else "")
    hundreds, rest = divmod(value, 100)
    return f"{_UNITS[hundreds]} hundred" + (f" and {in_words(rest)}" if rest else "")
