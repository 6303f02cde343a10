"""Each alert: what sets it off, and what just does not."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rooms.breaker import BreakerState
from sessions.budget import OBJECTIVE, WINDOW_DAYS, Budget, Tally
from sessions.fleet import Worker
from sessions.ids import WorkerId
from sessions.minutes import History, Minute
from sessions.outages import Outage
from sessions.pool import PoolStats
from sessions.states import State
from sessions.views import FleetSummary, Line
from supervisor import alerts
from supervisor.alerts import Alert, Severity, alerts_of
from tests.unit.observability.known import ALERTS, RECORDINGS

NOW_MS = 1_764_000_000_000
LEASE_S = 6.0
CLOSED = {"redis": BreakerState.CLOSED, "livekit": BreakerState.CLOSED}


def worker(
    name: str = "worker-1",
    *,
    idle: int = 3,
    target: int = 3,
    silent_ms: int = 500,
    drains: bool = False,
) -> Worker:
    return Worker(
        id=WorkerId(name),
        capacity=50,
        active=0,
        idle=idle,
        load=0.1,
        is_draining=drains,
        target=target,
        host="h",
        version="0",
        livekit_id="",
        registered_at_ms=0,
        seen_at_ms=NOW_MS - silent_ms,
    )


def pool(target: int | None) -> PoolStats:
    return PoolStats(target=target, total_spawned=9, total_assigned=5, total_cold=1)


def outage(name: str) -> Outage:
    return Outage(name=name, since_ms=NOW_MS - 5_000, until_ms=NOW_MS + 2_500, failures=1)


def recent(*, ready: int = 0, failed: int = 0, slow: tuple[int, ...] = ()) -> History:
    """Return the last minutes; `slow`: the bins of starts from 2 to 5 s on."""
    quick = (ready - sum(slow), 0, 0, 0)
    minutes = (Minute(at_ms=NOW_MS, ready=ready, failed=failed),)
    return History(minutes=minutes, startups=(*quick, *(slow or (0, 0, 0))))


#: A fleet that is well.
WELL = FleetSummary(
    at_ms=NOW_MS,
    sessions=dict.fromkeys(State, 0) | {State.ACTIVE: 30, State.STARTING: 2},
    line=Line(length=0, oldest_wait_ms=None),
    capacity=50,
    workers=(worker(),),
    pool=pool(None),
    startup_ms={50: 200, 90: 300, 95: 400, 99: 900},
    recent=recent(ready=100, failed=1),
    outages=(),
)


FULL = Budget(window=Tally(good=100), hour=Tally(good=10), just_now=Tally(good=1))


def burnt(good: int, bad: int, *, is_over: bool = False) -> Budget:
    """Return a budget after an hour, of which the last five minutes were the same, or all well."""
    hour = Tally(good=good, bad=bad)
    return Budget(window=hour, hour=hour, just_now=Tally(good=1) if is_over else hour)


def found(budget: Budget = FULL, **changes: Any) -> list[Alert]:  # noqa: ANN401 - fields of a summary
    return alerts_of(replace(WELL, **changes), CLOSED, budget, worker_lease_s=LEASE_S)


def test_a_fleet_that_is_well_is_left_in_peace() -> None:
    assert found() == []


FIRING: dict[str, dict[str, Any]] = {
    "no_worker": {"workers": ()},
    "pool_empty": {"workers": (worker(idle=0), worker("worker-2", idle=0))},
    "worker_silent": {"workers": (worker(), worker("worker-2", silent_ms=3_001))},
    "many_starting": {"sessions": WELL.sessions | {State.STARTING: 11}},
    "long_queue": {"line": Line(length=21, oldest_wait_ms=1)},
    "many_failures": {"recent": recent(ready=8, failed=2)},
    "error_budget_burns": {"budget": burnt(17, 3)},
    "slow_starts": {"recent": recent(ready=39, slow=(0, 1, 1))},
    "provider_down": {"outages": (outage("llm one/model"),)},
}
QUIET: dict[str, list[dict[str, Any]]] = {
    "no_worker": [
        {"workers": (worker(),)},
        {"workers": (worker(drains=True), worker("worker-2"))},
    ],
    "pool_empty": [
        {"workers": (worker(idle=0), worker("worker-2", idle=1))},
        # Who is to have none has none; and where nobody takes calls, another alert says so.
        {"workers": (worker(idle=0, target=0),)},
        {"workers": (worker(idle=0, target=0), worker("worker-2", idle=0, drains=True))},
        {"workers": (worker(idle=0, drains=True),)},
        {"workers": ()},
    ],
    "worker_silent": [{"workers": (worker(), worker("worker-2", silent_ms=3_000))}],
    "many_starting": [{"sessions": WELL.sessions | {State.STARTING: 10}}],
    "long_queue": [{"line": Line(length=20, oldest_wait_ms=600_000)}],
    "many_failures": [
        {"recent": recent(ready=90, failed=10)},
        {"recent": recent(ready=0, failed=9)},
        {"recent": recent()},
    ],
    "error_budget_burns": [
        {"budget": burnt(18, 3)},
        {"budget": burnt(0, 2)},
        {"budget": burnt(0, 0)},
        # It was bad, and is well by now.
        {"budget": burnt(17, 3, is_over=True)},
    ],
    "slow_starts": [
        # One in 20, and what was slow before the last minutes.
        {"recent": recent(ready=40, slow=(1, 1, 0))},
        {"startup_ms": WELL.startup_ms | {95: 9_000}},
        # Of so few one says nothing.
        {"recent": recent(ready=4, slow=(0, 0, 4))},
        {"recent": recent()},
    ],
    "provider_down": [{"outages": ()}],
}


@pytest.mark.parametrize("code", FIRING)
def test_it_fires(code: str) -> None:
    """One alert, with what was found beyond what is allowed; and it says what to do."""
    (alert,) = found(**FIRING[code])
    assert alert.code == code
    is_beyond = alert.value > alert.limit
    assert is_beyond is (code not in {"no_worker", "pool_empty"})
    assert alert.value != alert.limit
    assert alert.message.count(".") >= 2


@pytest.mark.parametrize(
    ("code", "changes"), [(code, one) for code, quiet in QUIET.items() for one in quiet]
)
def test_it_is_quiet(code: str, changes: dict[str, Any]) -> None:
    assert code not in {alert.code for alert in found(**changes)}


def test_where_all_drain_nobody_takes_calls() -> None:
    draining = (worker(idle=0, drains=True), worker("worker-2", drains=True))
    (alert,) = found(workers=draining)
    assert alert.code == "no_worker"
    assert alert.message.startswith("All workers drain")


def test_what_drains_has_nothing_warm_to_offer() -> None:
    """The one that takes calls has none; the one that drains has three."""
    (alert,) = found(workers=(worker(idle=0), worker("worker-2", drains=True)))
    assert (alert.code, alert.value) == ("pool_empty", 0)


def test_every_alert_is_tried_both_ways() -> None:
    codes = set(re.findall(r'code="(\w+)"', inspect.getsource(alerts)))
    assert codes == set(FIRING) == set(QUIET)


def test_the_budget_burns_here_as_it_does_in_prometheus() -> None:
    """The rules' own words: what is good and bad, over how long, and where an alert begins."""
    recorded = RECORDINGS["voicefleet:error_budget_left:ratio_rate30d"]["expr"]
    assert set(re.findall(r'outcome=~?"([\w|]+)"', recorded)) == {"failed", "failed|ready"}
    assert set(re.findall(r"\[(\w+)\]", recorded)) == {f"{WINDOW_DAYS}d"}
    assert float(re.findall(r"/ ([\d.]+)$", recorded.strip())[0]) == pytest.approx(1 - OBJECTIVE)
    fast = ALERTS["ErrorBudgetBurnsFast"]
    limits = re.findall(r"ratio_rate(\w+) > ([\d.]+)", fast["expr"])
    assert limits == [("1h", str(alerts.FASTEST_BURN)), ("5m", str(alerts.FASTEST_BURN))]
    assert re.findall(r">= (\d+)", fast["expr"]) == [str(alerts.FEWEST_BURNT)]
    (alert,) = found(budget=burnt(17, 3))
    assert fast["labels"]["severity"] == alert.severity


def test_the_page_lists_them_with_their_severity() -> None:
    text = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
    section = text.split("## What to look at")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.+`) \| (warning|critical) \|", section, re.M)
    listed = {code: severity for names, severity in rows for code in re.findall(r"`(\w+)`", names)}
    told = {alert.code: alert.severity for code in FIRING for alert in found(**FIRING[code])}
    opened = alerts_of(WELL, dict.fromkeys(CLOSED, BreakerState.OPEN), FULL, worker_lease_s=LEASE_S)
    assert listed == told | {alert.code: alert.severity for alert in opened}


@pytest.mark.parametrize("state", [BreakerState.OPEN, BreakerState.HALF_OPEN])
@pytest.mark.parametrize(("name", "shown"), [("redis", "Redis"), ("livekit", "LiveKit")])
def test_a_circuit_that_lets_nobody_through(name: str, shown: str, state: BreakerState) -> None:
    (alert,) = alerts_of(WELL, CLOSED | {name: state}, FULL, worker_lease_s=LEASE_S)
    assert (alert.code, alert.severity) == (f"{name}_circuit_open", Severity.CRITICAL)
    assert shown in alert.message


def test_several_of_a_kind_are_one_alert_that_names_them() -> None:
    silent = (worker("b", silent_ms=4_000), worker("a", silent_ms=5_000), worker("c"))
    several = found(workers=silent, outages=(outage("llm x/m"), outage("tts y/m")))
    assert {alert.code: alert.value for alert in several} == {
        "worker_silent": 5_000,
        "provider_down": 2,
    }
    texts = " ".join(alert.message for alert in several)
    assert "a, b" in texts
    assert "llm x/m, tts y/m" in texts


def test_the_lease_of_the_fleet_counts() -> None:
    """A fleet with longer leases has workers that may be silent for longer."""
    changed = replace(WELL, workers=(worker(silent_ms=4_000),))
    assert [one.code for one in alerts_of(changed, CLOSED, FULL, worker_lease_s=6)] == [
        "worker_silent"
    ]
    assert alerts_of(changed, CLOSED, FULL, worker_lease_s=10) == []
