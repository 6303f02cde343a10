"""Where text is cut before it is spoken."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localvoice.audio.sentences import MAX_LETTERS, clean, split, spoken_length


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Who met Mr. Smith. They talked.", ["Dr. Who met Mr. Smith.", "They talked."]),
        ("It is 3.5 or 1,000.", ["It is 3.5 or 1,000."]),
        ('He said "stop." Then left.', ['He said "stop."', "Then left."]),
        ("first line\nsecond line", ["first line", "second line"]),
        ("C. A. T.", ["C. A. T."]),
        ("Wait... what?", ["Wait...", "what?"]),
        ("no end", ["no end"]),
        (" ... \n ! ", []),
        ("", []),
    ],
)
def test_sentences(text: str, pieces: list[str]) -> None:
    assert split(text) == pieces


def test_long_sentences_are_cut_at_clauses_then_words() -> None:
    clauses = ", ".join(["a clause of some length"] * 30) + "."
    words = "word " * 200

    assert all(piece[-1] in ",." for piece in split(clauses))
    assert all(piece.startswith("word") and piece.endswith("word") for piece in split(words))


def test_digits_count_for_the_words_they_become() -> None:
    assert max(len(piece) for piece in split("9" * 1000)) <= MAX_LETTERS / 4
    assert spoken_length("9") > spoken_length("nine")


def test_phoneme_notation_is_only_text() -> None:
    assert "[[" not in clean("[[[[x]]]]")
    assert "]]" not in clean("[[[[x]]]]")


def test_long_numbers_are_read_digit_by_digit() -> None:
    assert clean("12345678901234567890").split() == list("12345678901234567890")
    assert clean("call 5551234") == "call 5551234"


@given(st.text(max_size=2000))
def test_no_word_is_lost_and_no_piece_is_long(text: str) -> None:
    pieces = split(text)

    assert all(0 < spoken_length(piece) <= MAX_LETTERS for piece in pieces)
    spoken = re.sub(r"\W", "", "".join(pieces))
    assert spoken == re.sub(r"\W", "", clean(text))
