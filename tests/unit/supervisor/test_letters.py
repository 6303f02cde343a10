"""Letters about the same thing go in their order; too old ones, and too many, are given up."""

from __future__ import annotations

from notices.delivery import Outcome, Result
from notices.message import Message
from supervisor.letters import MOST_LETTERS, Letter, due_letters, outdated_letters

FAILED = Outcome(result=Result.FAILED, reason="timeout")


def letter(number: int, about: str = "x") -> Letter:
    message = Message(id=f"m_{number:03}", type="alert.firing", at_ms=number, data={"a": [1, None]})
    return Letter.of(message, about)


def test_it_comes_back_as_it_was_kept() -> None:
    one = letter(1).failed(FAILED, 1_000)
    again = Letter.model_validate_json(one.model_dump_json())
    assert again == one
    assert again.message.to_json() == letter(1).message.to_json()


def test_of_those_about_the_same_the_oldest_is_due() -> None:
    letters = [letter(3), letter(2), letter(9, "y"), letter(1, "y").failed(FAILED, 1_000)]
    assert due_letters(letters, 1_000) == [letter(2)]
    assert [one.id for one in due_letters(letters, 10_000)] == ["m_001", "m_002"]


def test_a_receivers_wish_is_heeded_within_bounds() -> None:
    wish = Outcome(result=Result.FAILED, retry_after_s=1e9)
    assert letter(1).failed(wish, 0).due_ms == 300_000
    assert letter(1).failed(FAILED, 0).failed(FAILED, 0).failures == 2


def test_what_is_too_old_and_what_is_too_much() -> None:
    letters = [letter(number) for number in range(MOST_LETTERS + 2)]
    assert outdated_letters(letters, 0) == letters[:2]
    assert outdated_letters(letters, 5) == letters[:5]
    assert outdated_letters(letters[:10], 0) == []
