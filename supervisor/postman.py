"""Delivers letters, as far as they are due, and says what became of each."""

from __future__ import annotations

import asyncio
import logging

from notices.delivery import Courier, Result
from supervisor.letters import Letter, due_letters, outdated_letters
from telemetry.meter import Meter
from telemetry.metrics import NOTICES

logger = logging.getLogger("supervisor")


class Postman:
    """Takes alerts to one receiver, for as long as that wants any."""

    def __init__(self, courier: Courier, meter: Meter, *, kind: str, give_up_ms: int) -> None:
        self._courier = courier
        self._meter = meter
        self._kind = kind
        self._give_up_ms = give_up_ms
        self._is_gone = False

    def give_up(self, letters: dict[str, Letter], now_ms: int) -> None:
        """Take out what is too old to be of use, and what is too much."""
        for letter in outdated_letters(letters.values(), now_ms - self._give_up_ms):
            del letters[letter.id]
            self._meter.count(NOTICES, kind=self._kind, result="given_up")
            logger.error("an alert is given up", extra={"notice": letter.id})

    async def deliver(self, letters: dict[str, Letter], now_ms: int) -> int:
        """Try what is due, and take out what is settled; return how many were delivered."""
        due = due_letters(letters.values(), now_ms)
        results = await asyncio.gather(*(self._try(letter, letters, now_ms) for letter in due))
        return results.count(Result.DELIVERED)

    async def _try(self, letter: Letter, letters: dict[str, Letter], now_ms: int) -> Result:
        if self._is_gone:
            del letters[letter.id]
            self._meter.count(NOTICES, kind=self._kind, result=Result.GONE)
            return Result.GONE
        outcome = await self._courier.send(letter.message)
        fields = {"notice": letter.id, "reason": outcome.reason, "failures": letter.failures + 1}
        self._meter.count(NOTICES, kind=self._kind, result=outcome.result)
        if outcome.result is Result.FAILED:
            letters[letter.id] = letter.failed(outcome, now_ms)
            logger.warning("an alert could not be delivered yet", extra=fields)
            return outcome.result
        del letters[letter.id]
        if outcome.result is not Result.DELIVERED:
            self._is_gone = outcome.result is Result.GONE
            logger.error("an alert was refused", extra=fields)
        return outcome.result
