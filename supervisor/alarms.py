"""Something is wrong with the fleet, and nobody looks at the console.

Scenario: no worker is there, half of the sessions fail, LiveKit is away. Whoever runs the fleet has
no Prometheus, or none that watches this. What is wrong for a while is posted to where they read it,
once, now and then again while it lasts, and once more when it has been well for a while.

Scenario: the leader dies when an alert fires, or while it cannot be delivered. What fires and what
is still to be delivered stands in the store, written before anything is sent: the next leader
neither repeats nor forgets it. One that dies between sending and writing has it sent twice, under
the same id.

Counter-scenario: a figure crosses its limit and comes back. That is told to nobody (`ALERT_FOR_S`,
`ALERT_CLEAR_S`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from notices.delivery import Courier, Result
from notices.settings import NoticeSettings
from rooms.client import Rooms
from sessions.errors import StoreUnavailable
from sessions.settings import milliseconds
from sessions.store import SessionStore
from supervisor.alarm import Alarm, Rules, next_alarms
from supervisor.alerts import Alert, Severity, alerts_of
from supervisor.letters import Letter, due_letters, outdated_letters
from telemetry.meter import Meter
from telemetry.metrics import NOTICE_AGE, NOTICES, NOTICES_WAITING

logger = logging.getLogger("supervisor")

KIND = "alert"
_ALARM, _LETTER = "alarm:", "letter:"

Kept = TypeVar("Kept", bound=BaseModel)


class Alarms:
    """Tells of alerts. One leader does this at a time."""

    def __init__(
        self,
        store: SessionStore,
        rooms: Rooms,
        courier: Courier,
        settings: NoticeSettings,
        meter: Meter,
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._courier = courier
        self._meter = meter
        self._rules = Rules(
            for_ms=milliseconds(settings.alert_for_s),
            clear_ms=milliseconds(settings.alert_clear_s),
            repeat_ms=milliseconds(settings.alert_repeat_s),
        )
        self._is_gone = False
        #: As the store has it.
        self._kept: dict[str, str] = {}

    async def look_once(self) -> int:
        """Look what is wrong, and tell whoever is to know; return how many messages got there."""
        try:
            return await self._look()
        except StoreUnavailable as error:
            logger.warning("redis is away; nobody is alerted", extra={"reason": str(error)})
            return 0

    async def _look(self) -> int:
        self._kept = await self._store.office.notices.read()
        now_ms = await self._store.now()
        known = _read(self._kept, _ALARM, Alarm)
        letters = _read(self._kept, _LETTER, Letter)
        alarms, messages = next_alarms(known, await self._found(), now_ms, self._rules)
        _tell_log(known, alarms)
        for message in messages:
            letters[message.id] = Letter.of(message, about=str(message.data["code"]))
        for letter in outdated_letters(letters.values(), now_ms - self._rules.repeat_ms):
            del letters[letter.id]
            self._meter.count(NOTICES, kind=KIND, result="given_up")
            logger.error("an alert is given up", extra={"notice": letter.id})
        await self._keep(alarms, letters)
        delivered = await self._deliver(letters, now_ms)
        await self._keep(alarms, letters)
        oldest_ms = min((letter.at_ms for letter in letters.values()), default=now_ms)
        self._meter.set(NOTICES_WAITING, len(letters), kind=KIND)
        self._meter.set(NOTICE_AGE, max(0, now_ms - oldest_ms) / 1000, kind=KIND)
        return delivered

    async def _found(self) -> list[Alert]:
        """Return what is wrong now; of Redis itself nobody would hear here."""
        views, lease_s = self._store.views, self._store.settings.worker_lease_s
        circuits = {"livekit": self._rooms.breaker.state}
        summary, budget = await views.summary(), await views.budget()
        return alerts_of(summary, circuits, budget, worker_lease_s=lease_s)

    async def _deliver(self, letters: dict[str, Letter], now_ms: int) -> int:
        """Try what is due, and take out what is settled; return how many were delivered."""
        due = due_letters(letters.values(), now_ms)
        results = await asyncio.gather(*(self._try(letter, letters, now_ms) for letter in due))
        return results.count(Result.DELIVERED)

    async def _try(self, letter: Letter, letters: dict[str, Letter], now_ms: int) -> Result:
        if self._is_gone:
            del letters[letter.id]
            self._meter.count(NOTICES, kind=KIND, result=Result.GONE)
            return Result.GONE
        outcome = await self._courier.send(letter.message)
        fields = {"notice": letter.id, "reason": outcome.reason, "failures": letter.failures + 1}
        self._meter.count(NOTICES, kind=KIND, result=outcome.result)
        if outcome.result is Result.FAILED:
            letters[letter.id] = letter.failed(outcome, now_ms)
            logger.warning("an alert could not be delivered yet", extra=fields)
            return outcome.result
        del letters[letter.id]
        if outcome.result is not Result.DELIVERED:
            self._is_gone = outcome.result is Result.GONE
            logger.error("an alert was refused", extra=fields)
        return outcome.result

    async def _keep(self, alarms: Mapping[str, Alarm], letters: Mapping[str, Letter]) -> None:
        """Write down what has changed. Raises Deposed where another one leads by now."""
        wanted = {f"{_ALARM}{code}": one.model_dump_json() for code, one in alarms.items()}
        wanted |= {f"{_LETTER}{id_}": one.model_dump_json() for id_, one in letters.items()}
        ours = {name for name in self._kept if name.startswith((_ALARM, _LETTER))}
        changed = {name: text for name, text in wanted.items() if self._kept.get(name) != text}
        await self._store.office.notices.write(changed, sorted(ours - set(wanted)))
        self._kept = wanted


def _read(kept: Mapping[str, str], prefix: str, kind: type[Kept]) -> dict[str, Kept]:
    """Return what is kept under a prefix; what another version wrote otherwise is passed over."""
    found: dict[str, Kept] = {}
    for name, text in kept.items():
        if not name.startswith(prefix):
            continue
        try:
            found[name.removeprefix(prefix)] = kind.model_validate_json(text)
        except ValidationError:
            logger.warning("a notice cannot be read", extra={"notice": name})
    return found


def _tell_log(known: Mapping[str, Alarm], alarms: Mapping[str, Alarm]) -> None:
    for code, alarm in alarms.items():
        if alarm.fires and not (code in known and known[code].fires):
            level = logging.ERROR if alarm.severity is Severity.CRITICAL else logging.WARNING
            fields = {"code": code, "value": alarm.value, "limit": alarm.limit}
            logger.log(level, "an alert fires", extra=fields)
    for code, alarm in known.items():
        if alarm.fires and code not in alarms:
            logger.info("an alert is over", extra={"code": code})
