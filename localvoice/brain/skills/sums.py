"""Arithmetic as it is spoken: "what is seven plus five", "15% of 80", "12 x 12"."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from localvoice.brain import numbers
from localvoice.brain.conversation import Turn
from localvoice.brain.expression import NotASum, TooBig, evaluate, tokenize
from localvoice.brain.reply import Reply, Say
from localvoice.brain.skill import Skill

_ROOT = re.compile(r"\b(?:the )?square root of (?P<number>.+)$")
_PERCENT = re.compile(r"^(?P<share>.+?) ?(?:%|percent|per cent) of (?P<whole>.+)$")
#: "add 3 and 4" is "3 plus 4"; subtract's operands change places.
_VERBS = (
    (re.compile(r"^add (.+?) (?:and|to|with) (.+)$"), r"\1 plus \2"),
    (re.compile(r"^subtract (.+?) from (.+)$"), r"\2 minus \1"),
    (re.compile(r"^take (.+?) (?:away )?from (.+)$"), r"\2 minus \1"),
    (re.compile(r"^multiply (.+?) (?:by|and|with) (.+)$"), r"\1 times \2"),
    (re.compile(r"^divide (.+?) by (.+)$"), r"\1 divided by \2"),
    (re.compile(r"^(?:the )?sum of (.+?) and (.+)$"), r"\1 plus \2"),
    (re.compile(r"^(?:the )?difference (?:between|of) (.+?) and (.+)$"), r"\1 minus \2"),
    (re.compile(r"^(?:the )?product of (.+?) and (.+)$"), r"\1 times \2"),
    (re.compile(r"^(?:the )?half of (.+)$"), r"\1 divided by 2"),
    (re.compile(r"^(?:double|twice) (.+)$"), r"2 times \1"),
    (re.compile(r"^(\S+) and (\S+)$"), r"\1 plus \2"),
    (re.compile(r"^(?:the )?square of (.+)$"), r"\1 squared"),
)
_LEAD = re.compile(
    r"^.*?\b(?:what's|what is|what are|whats|how much is|how much are|how much does|calculate"
    r"|compute|tell me|what|work out|solve|and|is)\s+"
)
_TAIL = re.compile(
    r"\s*(?:=|equals?(?: what)?|makes?(?: what)?|please|is(?: what)?|equal to)?\s*\??$"
)


def answer(turn: Turn) -> Reply | None:
    """The sum repeated and its result, or None when there is no sum in the turn."""
    request = turn.request.replace(" per cent", " percent")
    # What stands in front ("hello, what is ...") is peeled off until a sum is left.
    for _ in range(6):
        text = _TAIL.sub("", request).strip()
        reply = _solve(text)
        if reply is not None:
            return reply
        shorter = _LEAD.sub("", request, count=1)
        if shorter == request:
            return None
        request = shorter
    return None


def _solve(text: str) -> Reply | None:
    for pattern, replacement in _VERBS:
        text = pattern.sub(replacement, text)
    try:
        if root := _ROOT.search(text):
            return _root(root["number"])
        if share := _PERCENT.search(text):
            return _percent(share["share"], share["whole"])
        tokens = tokenize(text)
        value = evaluate(tokens)
    except NotASum:
        return None
    except ZeroDivisionError:
        return Say("Nothing can be divided by zero.")
    except TooBig:
        return Say("That number is too big for me.")
    return Say(f"{' '.join(token.said for token in tokens)} {_result(value)}.".capitalize())


def _result(value: Fraction) -> str:
    verb = "is" if numbers.is_exact(value) else "is about"
    return f"{verb} {numbers.spoken(value)}"


def _percent(share: str, whole: str) -> Reply:
    first, second = evaluate(tokenize(share, alone=True)), evaluate(tokenize(whole, alone=True))
    said = f"{numbers.spoken(first)} percent of {numbers.spoken(second)}"
    return Say(f"{said} {_result(first * second / 100)}.")


def _root(text: str) -> Reply:
    number = evaluate(tokenize(text, alone=True))
    said = f"The square root of {numbers.spoken(number)}"
    if number < 0:
        return Say("Negative numbers have no real square root.")
    exact = Fraction(math.isqrt(number.numerator), math.isqrt(number.denominator))
    root = exact if exact * exact == number else Fraction(math.sqrt(number))
    return Say(f"{said} {_result(root)}.")


SKILL = Skill(
    "sums",
    (
        "What is seven plus five?",
        "What is 7 plus 5?",
        "12 x 12",
        "How much is 15% of 80?",
        "What is the square root of 144?",
        "Divide 100 by 8.",
        "What's twenty-one minus 4 times three?",
    ),
    answer,
)
