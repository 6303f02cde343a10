"""When an alert is told, told again, and told to be over. Functions of what is known and found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict

from notices.message import Message
from notices.settings import NoticeSettings
from sessions.settings import milliseconds
from supervisor.alerts import Alert, Severity

#: Where nobody has looked for so long, nobody knows that it was wrong all the time.
_MOST_GAP_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How patient alerts are, in ms; docs/settings.md: `ALERT_FOR_S`, …"""

    for_ms: int
    clear_ms: int
    repeat_ms: int


def rules_of(settings: NoticeSettings) -> Rules:
    """Return how patient these settings are."""
    return Rules(
        for_ms=milliseconds(settings.alert_for_s),
        clear_ms=milliseconds(settings.alert_clear_s),
        repeat_ms=milliseconds(settings.alert_repeat_s),
    )


class Alarm(BaseModel):
    """One alert over time, as it is kept. Times in ms since 1970."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    severity: Severity
    message: str
    value: float
    limit: float
    #: When it began, and when it was found last.
    since_ms: int
    seen_ms: int
    #: How often it was told, and when last; 0 while it has to hold still.
    times: int = 0
    told_ms: int = 0

    @property
    def fires(self) -> bool:
        return self.times > 0

    def found(self, alert: Alert, now_ms: int) -> Self:
        """Return it as it is when the alert is found again."""
        is_doubtful = not self.fires and now_ms - self.seen_ms > _MOST_GAP_MS
        since_ms = now_ms if is_doubtful else self.since_ms
        changes = {**asdict(alert), "seen_ms": now_ms, "since_ms": since_ms}
        return self.model_copy(update=changes)

    def told(self, now_ms: int) -> Self:
        """Return it as it is when it is told once more."""
        return self.model_copy(update={"times": self.times + 1, "told_ms": now_ms})

    def to_message(self, now_ms: int, *, is_over: bool = False) -> Message:
        """Return what others are told; the same alarm under the same id each time."""
        what = "resolved" if is_over else str(self.times)
        return Message(
            id=f"alert_{self.code}_{self.since_ms}_{what}",
            type="alert.resolved" if is_over else "alert.firing",
            at_ms=now_ms,
            data={
                "code": self.code,
                "severity": self.severity,
                "message": self.message,
                "value": self.value,
                "limit": self.limit,
                "since": self.since_ms,
                "until": self.seen_ms if is_over else None,
            },
        )


def next_alarms(
    known: Mapping[str, Alarm], found: Iterable[Alert], now_ms: int, rules: Rules
) -> tuple[dict[str, Alarm], list[Message]]:
    """Return what is known after a look, by code, and what is to be told now."""
    alarms: dict[str, Alarm] = {}
    messages: list[Message] = []
    for alert in found:
        new = Alarm(**asdict(alert), since_ms=now_ms, seen_ms=now_ms)
        alarm = known[alert.code].found(alert, now_ms) if alert.code in known else new
        is_ripe = now_ms - alarm.since_ms >= rules.for_ms
        if is_ripe if not alarm.fires else now_ms - alarm.told_ms >= rules.repeat_ms:
            alarm = alarm.told(now_ms)
            messages.append(alarm.to_message(now_ms))
        alarms[alert.code] = alarm
    for code, alarm in known.items():
        if code in alarms or not alarm.fires:
            continue  # what went by before it was told is nobody's business
        if now_ms - alarm.seen_ms >= rules.clear_ms:
            messages.append(alarm.to_message(now_ms, is_over=True))
        else:
            alarms[code] = alarm
    return alarms, messages
