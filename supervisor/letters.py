"""Messages that are to be delivered, as the store keeps them until they are."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from notices.backoff import pause_s
from notices.delivery import Outcome
from notices.message import Message

#: So many are kept; of more, the oldest are given up.
MOST_LETTERS = 100


class Letter(BaseModel):
    """A message on its way. Times in ms since 1970."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    #: Those about the same are delivered in their order.
    about: str
    type: str
    at_ms: int
    data: dict[str, object]
    failures: int = 0
    #: When it is tried next.
    due_ms: int = 0

    @classmethod
    def of(cls, message: Message, about: str) -> Letter:
        """Return a message that nobody has tried to deliver yet."""
        return cls(
            id=message.id,
            about=about,
            type=message.type,
            at_ms=message.at_ms,
            data=dict(message.data),
        )

    @property
    def message(self) -> Message:
        return Message(id=self.id, type=self.type, at_ms=self.at_ms, data=self.data)

    def failed(self, outcome: Outcome, now_ms: int) -> Letter:
        """Return it as it is after one more attempt in vain."""
        failures = self.failures + 1
        pause_ms = round(1000 * pause_s(failures, outcome.retry_after_s))
        return self.model_copy(update={"failures": failures, "due_ms": now_ms + pause_ms})


def due_letters(letters: Iterable[Letter], now_ms: int) -> list[Letter]:
    """Return those that are to be tried now: of those about the same, the oldest only."""
    first: dict[str, Letter] = {}
    for letter in sorted(letters, key=_order):
        first.setdefault(letter.about, letter)
    return [letter for letter in first.values() if letter.due_ms <= now_ms]


def outdated_letters(letters: Iterable[Letter], oldest_ms: int) -> list[Letter]:
    """Return those that are given up: of before a moment, or too many."""
    in_order = sorted(letters, key=_order)
    surplus = max(0, len(in_order) - MOST_LETTERS)
    return [
        letter
        for place, letter in enumerate(in_order)
        if place < surplus or letter.at_ms < oldest_ms
    ]


def _order(letter: Letter) -> tuple[int, str]:
    return letter.at_ms, letter.id
