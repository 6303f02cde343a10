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

import logging
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from notices.delivery import Courier
from notices.settings import NoticeSettings
from rooms.client import Rooms
from sessions.errors import StoreUnavailable
from sessions.store import SessionStore
from supervisor.alarm import Alarm, next_alarms, rules_of
from supervisor.alerts import Alert, Severity, alerts_of
from supervisor.letters import Letter
from supervisor.postman import Postman
from telemetry.meter import Meter
from telemetry.metrics import NOTICE_AGE, NOTICES_WAITING

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
        self._meter = meter
        self._rules = rules_of(settings)
        self._postman = Postman(courier, meter, kind=KIND, give_up_ms=self._rules.repeat_ms)
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
        self._postman.give_up(letters, now_ms)
        await self._keep(alarms, letters)
        delivered = await self._postman.deliver(letters, now_ms)
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
