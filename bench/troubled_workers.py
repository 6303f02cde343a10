"""The workers whose models fail: a plain one, ours, and ours with other models to step in."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from bench.neighbours import Neighbours
from bench.troubled_call import APOLOGY, Caseworker
from bench.troubles import STAGES, troubled_provider
from bench.workers import OURS, WARM, until_logged, working
from sessions.connection import Temper, connect
from sessions.settings import StoreSettings

PLAIN, ALONE, HELPED = "plain", "ours, alone", "ours, with a substitute"
#: The greeting and the apology, which ours speaks once, before anybody calls.
_CLIPS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """The running workers, by name."""

    by_name: Mapping[str, Caseworker]
    neighbours: Neighbours

    async def forget_outages(self) -> None:
        """Make the next call the first to notice: ours leaves a model that failed alone."""
        url = SecretStr(self.neighbours.variables["REDIS_URL"])
        client = connect(StoreSettings(redis_url=url), Temper.PATIENT)
        try:
            if known := [key async for key in client.scan_iter(match="*outage:*")]:
                await client.delete(*known)
        finally:
            await client.aclose()


@asynccontextmanager
async def troubled_workers(neighbours: Neighbours, folder: Path) -> AsyncIterator[Workers]:
    """Run the three until the block is left, each with a provider of its own."""
    async with AsyncExitStack() as stack:
        by_name = {
            name: await stack.enter_async_context(_troubled_worker(name, neighbours, folder))
            for name in (PLAIN, ALONE, HELPED)
        }
        yield Workers(by_name=by_name, neighbours=neighbours)


@asynccontextmanager
async def _troubled_worker(
    name: str, neighbours: Neighbours, folder: Path
) -> AsyncIterator[Caseworker]:
    is_ours, agent_name = name != PLAIN, f"degradation-{secrets.token_hex(4)}"
    module = OURS if is_ours else ("bench.plain_agent", "start")
    log = folder / f"{agent_name}.log"
    async with troubled_provider() as main, troubled_provider() as other:
        # An empty value counts as unset, whatever the environment says.
        helped = {
            f"{stage.upper()}_FALLBACK_BASE_URL": other.variables[f"{stage.upper()}_BASE_URL"]
            if name == HELPED
            else ""
            for stage in STAGES
        }
        own = {"APOLOGY": APOLOGY, "GREETING_CACHE_DIR": str(folder / agent_name)}
        variables = {**neighbours.variables, **main.variables, **helped, **own}
        async with working(module, variables, agent_name=agent_name, log=log):
            await until_logged(log, WARM, 1)
            await until_logged(log, "clip made", _CLIPS if is_ours else 0)
            yield Caseworker(
                neighbours=neighbours,
                providers=(main, other),
                agent_name=agent_name,
                has_sessions=is_ours,
            )
