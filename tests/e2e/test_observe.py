"""`make observe` on the whole stack: what calls leave is scraped, recorded and drawn."""

from __future__ import annotations

import asyncio
import math
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from devstack.install.tools import PROMETHEUS, PROMTOOL
from devstack.services.ports import free_port
from devstack.services.prometheus import PROMETHEUS_YAML
from devstack.settings import process_environment
from tests.e2e.calls import ANSWER_S, call
from tests.support.dashboards import FILES, expressions, filled
from tests.support.observer import observing
from tests.support.plain import NO_TLS
from tests.support.servers import RunningStack, program
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)

#: Two scrapes and an evaluation take 45 s; what is busy takes longer.
FIGURES_S = 180.0
GROUPS: list[dict[str, Any]] = [
    group
    for path in sorted((PROMETHEUS_YAML.parent / "rules").glob("*.yml"))
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
]
ASKED = sorted({expr for path in FILES for expr in expressions(path)})
RECORDED = sorted(rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule)
#: What is empty as long as nothing goes wrong.
OF_TROUBLE = {expr for expr in ASKED if expr.endswith("> 0") or expr.startswith("ALERTS{")} | {
    'max by (alertname) (ALERTS{alertstate="firing"})',
    'max by (severity, alertname, instance, dependency, loop) (ALERTS{alertstate="firing"})',
}

#: What is there and no number (NaN), where the stack had all the processes it needs before.
OF_CHANCE = {expr for expr in ASKED if "voicefleet_worker_process_ready_seconds" in expr}


class Figures:
    """What a Prometheus tells over HTTP."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def tell(self, path: str, **parameters: str) -> dict[str, Any]:
        """Return what it tells. An error of its own fails the test at once."""
        answer = await self._http.get(f"/api/v1/{path}", params=parameters)
        told: dict[str, Any] = answer.json()
        if told["status"] != "success" or "warnings" in told:
            pytest.fail(f"{parameters}: {told}")
        data: dict[str, Any] = told["data"]
        return data

    async def has(self, expr: str) -> bool:
        """Say whether a panel's expression, or what is recorded, has a number at the moment."""
        data = await self.tell("query", query=filled(expr))
        numbers = [float(one["value"][1]) for one in data["result"]]
        return any(math.isfinite(one) or expr in OF_CHANCE for one in numbers)


@pytest.fixture
async def figures(stack: RunningStack, tmp_path: Path) -> AsyncIterator[Figures]:
    """`make observe`, which has found all its targets."""
    env = process_environment() | {
        "VOICEFLEET_RUN_DIR": str(stack.run_dir),
        "PROMETHEUS_PORT": str(free_port()),
        PROMETHEUS.setting: str(program(PROMETHEUS)),
    }
    with observing(env, tmp_path / "observe.log") as observer:
        url = await asyncio.to_thread(observer.until_ready)
        async with httpx2.AsyncClient(base_url=url, timeout=30, verify=NO_TLS) as http:
            figures = Figures(http)

            async def are_up() -> bool:
                targets = (await figures.tell("targets"))["activeTargets"]
                states = {
                    one["labels"]["job"]: (one["health"], one["lastError"]) for one in targets
                }
                assert states == dict.fromkeys(
                    ("voicefleet-tokens", "voicefleet-workers"), ("up", "")
                )
                return True

            await eventually(are_up, FIGURES_S, interval_s=0.5)
            yield figures
        assert await asyncio.to_thread(observer.end, signal.SIGTERM) == 0


async def test_calls_are_seen_on_all_dashboards(stack: RunningStack, figures: Figures) -> None:
    """1. Prometheus scrapes the stack. 2. A user asks something, and leaves. 3. Another one comes.

    Result: each rule is well and each recorded figure is there; each panel asks what Prometheus
    understands, and has numbers, but for those of trouble.
    """
    async with call(stack) as user:
        await user.ask("What is 20 plus four?", "24")
    async with call(stack):
        missing = {*ASKED, *RECORDED} - OF_TROUBLE

        async def were_there() -> bool:
            for expr in sorted(missing):
                if await figures.has(expr):
                    missing.remove(expr)
            assert missing == set()
            return True

        await eventually(were_there, FIGURES_S, interval_s=1)
        for expr in sorted(OF_TROUBLE):
            await figures.tell("query", query=filled(expr))

    groups = (await figures.tell("rules"))["groups"]
    states = {
        one["name"]: {(rule["health"], rule.get("lastError", "")) for rule in one["rules"]}
        for one in groups
    }
    assert states == {group["name"]: {("ok", "")} for group in GROUPS}


async def test_pages_of_figures_are_as_promtool_wants_them(stack: RunningStack) -> None:
    """The token server's, and that of a worker whose agent has answered somebody."""
    promtool = program(PROMTOOL)
    async with call(stack) as user:
        await user.caller.type("What is 20 plus four?")
        await user.until(lambda: any("24" in line.text for line in user.caller.lines[1:]))
    key = {"Authorization": f"Bearer {stack.admin_key}"}
    async with httpx2.AsyncClient(timeout=30, verify=NO_TLS, headers=key) as http:

        async def page_of_worker() -> str:
            page = (await http.get(f"{stack.worker_url}/metrics")).text
            assert 'voicefleet_calls_total{verdict="ended"} 0.0' not in page
            return page

        pages = [await eventually(page_of_worker, ANSWER_S)]
        pages.append((await http.get(f"{stack.api_url}/metrics")).text)
    for page in pages:
        assert page.count("# HELP voicefleet_") > 20
        checked = await asyncio.create_subprocess_exec(
            *(str(promtool), "check", "metrics"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await checked.communicate(page.encode())
        assert (checked.returncode, told.decode()) == (0, "")
