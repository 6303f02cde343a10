"""Numbers and sums in words."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localvoice.brain import numbers
from localvoice.brain.expression import NotASum, TooBig, evaluate, tokenize


@given(st.integers(0, 999))
def test_words_are_read_back(value: int) -> None:
    assert numbers.read(numbers.in_words(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("3,500", 3500),
        ("2.5", Fraction(5, 2)),
        ("a hundred", 100),
        ("two thousand and six", 2006),
        ("one million two hundred thousand", 1_200_000),
        ("minus four", -4),
        ("-4", -4),
        ("three point one four", Fraction(314, 100)),
        ("point five", Fraction(1, 2)),
        ("two dozen", 24),
        ("5 million", 5_000_000),
    ],
)
def test_reading(text: str, value: Fraction) -> None:
    assert numbers.read(text) == value


@pytest.mark.parametrize("text", ["", "apples", "and", "one apple", "point", "three point twenty"])
def test_what_is_no_number(text: str) -> None:
    assert numbers.read(text) is None


@given(st.lists(st.tuples(st.sampled_from("+-*"), st.integers(0, 99)), min_size=1, max_size=6))
def test_sums_agree_with_python(parts: list[tuple[str, int]]) -> None:
    text = "1" + "".join(f" {sign} {value}" for sign, value in parts)

    assert evaluate(tokenize(text)) == eval(text)  # noqa: S307 - digits and three signs


@given(st.text(alphabet="0123456789 +-*/^x.,%", max_size=60))
def test_every_text_is_a_sum_or_refused(text: str) -> None:
    try:
        value = evaluate(tokenize(text))
    except (NotASum, TooBig, ZeroDivisionError):
        return
    assert abs(value) <= 10**15
