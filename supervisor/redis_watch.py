"""Redis is away, and with it whatever would tell of it.

Scenario: Redis does not answer. Nobody leads, no loop looks, no alert can be written down. Whoever
led when it was last there tells of it, from memory, and that it is back. One at a time led, so one
tells; should that one die meanwhile, nobody does.

Counter-scenario: Redis is restarted, or another one takes over. That is over before `ALERT_FOR_S`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from notices.delivery import Courier
from notices.settings import NoticeSettings
from sessions.errors import StoreUnavailable
from sessions.store import SessionStore
from supervisor.alarm import Alarm, next_alarms, rules_of
from supervisor.alerts import Alert, Severity
from supervisor.letters import Letter
from supervisor.postman import Postman
from telemetry.meter import Meter

logger = logging.getLogger("supervisor")

_AWAY = Alert(
    code="redis_away",
    severity=Severity.CRITICAL,
    message="Redis does not answer: no session can start, and none is looked after. Calls go on. "
    "Look whether it runs, and whether the supervisor reaches it.",
    value=1,
    limit=0,
)


class RedisWatch:
    """Tells that Redis is away, if this process led. Each process does this by itself."""

    def __init__(
        self,
        store: SessionStore,
        courier: Courier,
        settings: NoticeSettings,
        meter: Meter,
        *,
        leads: Callable[[], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._leads = leads
        self._clock = clock
        self._rules = rules_of(settings)
        self._postman = Postman(courier, meter, kind="alert", give_up_ms=self._rules.repeat_ms)
        self._has_led = False
        self._alarms: dict[str, Alarm] = {}
        self._letters: dict[str, Letter] = {}

    async def look_once(self) -> int:
        """Look whether Redis is there; return how many messages were delivered."""
        found = [] if await self._is_there() or not self._has_led else [_AWAY]
        now_ms = round(self._clock() * 1000)
        self._alarms, messages = next_alarms(self._alarms, found, now_ms, self._rules)
        for message in messages:
            logger.error("redis is away or back", extra={"notice": message.id})
            self._letters[message.id] = Letter.of(message, about=_AWAY.code)
        self._postman.give_up(self._letters, now_ms)
        return await self._postman.deliver(self._letters, now_ms)

    async def _is_there(self) -> bool:
        try:
            await self._store.ping()
        except StoreUnavailable:
            return False
        self._has_led = self._leads()
        return True
