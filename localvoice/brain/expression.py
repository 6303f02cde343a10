"""A small calculator for sums in words or signs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from localvoice.brain import numbers

#: Results and operands beyond it are refused; powers grow beyond it in no time.
_LIMIT = Fraction(10**15)
_HIGHEST_POWER = 64
_MOST_TOKENS = 41

#: Each way to say an operator, longest first, and its sign.
_SPOKEN = (
    ("to the power of", "^"), ("raised to the", "^"), ("multiplied by", "*"), ("divided by", "/"),
    ("added to", "+"), ("take away", "-"), ("subtract", "-"), ("squared", "^ 2"), ("cubed", "^ 3"),
    ("minus", "-"), ("times", "*"), ("plus", "+"), ("over", "/"), ("x", "*"),
)  # fmt: skip
_SAID = {"+": "plus", "-": "minus", "*": "times", "/": "divided by", "^": "to the power of"}
_SPLIT = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+|[+*/^-]|[^\s\d+*/^-]+")


class NotASum(Exception):
    """Raised when the words are something else than arithmetic."""


class TooBig(Exception):
    """Raised when a number leaves the range that is worth saying."""


@dataclass(frozen=True)
class Token:
    """An operator, or a number with its value."""

    sign: str = ""
    value: Fraction = Fraction(0)

    @property
    def said(self) -> str:
        """How it is spoken."""
        return _SAID[self.sign] if self.sign else numbers.spoken(self.value)


def tokenize(text: str, *, alone: bool = False) -> list[Token]:
    """``"seven plus 5"`` to 7, +, 5. Raises NotASum for any other word.

    A number ``alone`` is only taken where the caller knows that one must stand there.
    """
    text = re.sub(r"(?<=[a-z])-(?=[a-z])", " ", text)  # twenty-one
    text = re.sub(r"(?<=\d)\s*x\s*(?=\d)", " * ", text)  # 12x12
    for words, sign in _SPOKEN:
        text = re.sub(rf"(?<![^\s\d]){words}(?![^\s\d])", f" {sign} ", text)
    tokens = _collect(_SPLIT.findall(text))
    if len(tokens) > _MOST_TOKENS or not (alone or len(tokens) > 1):
        raise NotASum
    return tokens


def _collect(pieces: Sequence[str]) -> list[Token]:
    tokens: list[Token] = []
    held: list[str] = []
    for piece in [*pieces, "+"]:
        if piece not in _SAID:
            held.append(piece)
            continue
        if held:
            value = numbers.read(" ".join(held))
            if value is None:
                raise NotASum
            tokens.append(_bounded_token(value))
            held = []
        tokens.append(Token(piece))
    return tokens[:-1]


def _bounded_token(value: Fraction) -> Token:
    if abs(value) > _LIMIT:
        raise TooBig
    return Token(value=value)


def evaluate(tokens: Sequence[Token]) -> Fraction:
    """The value. Raises NotASum, TooBig and ZeroDivisionError."""
    rest = list(tokens)
    value = _sum(rest)
    if rest:
        raise NotASum
    return value


def _sum(rest: list[Token]) -> Fraction:
    return _chain(rest, _product, {"+": lambda a, b: a + b, "-": lambda a, b: a - b})


def _product(rest: list[Token]) -> Fraction:
    return _chain(rest, _power, {"*": lambda a, b: a * b, "/": lambda a, b: a / b})


def _chain(
    rest: list[Token],
    operand: Callable[[list[Token]], Fraction],
    operators: dict[str, Callable[[Fraction, Fraction], Fraction]],
) -> Fraction:
    value = operand(rest)
    while rest and rest[0].sign in operators:
        value = _bounded(operators[rest.pop(0).sign](value, operand(rest)))
    return value


def _power(rest: list[Token]) -> Fraction:
    base = _number(rest)
    if not rest or rest[0].sign != "^":
        return base
    rest.pop(0)
    exponent = _number(rest)
    if exponent.denominator != 1 or abs(exponent) > _HIGHEST_POWER:
        raise TooBig
    return _bounded(base ** int(exponent))


def _number(rest: list[Token]) -> Fraction:
    if not rest:
        raise NotASum
    token = rest.pop(0)
    if token.sign == "-":
        return -_number(rest)
    if token.sign:
        raise NotASum
    return token.value


def _bounded(value: Fraction | float) -> Fraction:
    exact = Fraction(value)
    if abs(exact) > _LIMIT or exact.denominator > 10**30:
        raise TooBig
    return exact
