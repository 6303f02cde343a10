"""Processes of ours that are replaced: what they say of themselves, and what is done to them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from enum import StrEnum

import httpx2

from bench.deploy_drill.versions import Version
from devstack.errors import DevstackError
from devstack.services.process import RunningProcess
from devstack.services.readiness import NotReady, http_ok, until_ready, verdict
from tests.support.plain import NO_TLS

_ANSWERS_WITHIN_S = 5.0


class Kind(StrEnum):
    """Which service it is; the value is what tables call its processes."""

    TOKENS = "token servers"
    WORKER = "workers"


class Unfit(DevstackError):
    """Raised for a process that cannot take the place of another; says why."""


@dataclass(slots=True, kw_only=True, eq=False)
class Replica:
    """One process. All times are those of `time.monotonic`; None: not yet."""

    kind: Kind
    version: Version
    port: int
    url: str
    process: RunningProcess
    began_at: float
    #: What the fleet calls a worker; nothing for a token server.
    worker_id: str = ""
    ready_at: float | None = None
    told_at: float | None = None
    gone_at: float | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return not self.process.exited.done()

    async def until_ready(self, within_s: float) -> None:
        """Wait until `/readyz` says so, and ask who it is. Raises Unfit."""
        exited = self.process.exited
        waiting = asyncio.create_task(until_ready(http_ok(f"{self.url}/readyz"), within_s))
        try:
            await asyncio.wait({waiting, exited}, return_when=asyncio.FIRST_COMPLETED)
            if exited.done():
                raise Unfit(
                    f"ended with status {exited.result()}", log_tail=self.process.log_tail()
                )
            await waiting
        except NotReady as error:
            raise Unfit(f"not ready after {within_s:g} s: {error}") from error
        finally:
            waiting.cancel()
        self.ready_at = time.monotonic()
        said = await self._ask()
        if said["version"] != self.version.name:
            raise Unfit(f"says that it is version {said['version']}, not {self.version.name}")
        self.worker_id = str(said.get("id", ""))

    async def version_served(self) -> str | None:
        """Return the version that serves here now; None where none does."""
        if not self.is_alive or await verdict(http_ok(f"{self.url}/readyz")) is not None:
            return None
        try:
            return str((await self._ask())["version"])
        except Unfit:
            # It has gone meanwhile.
            return None

    def tell_to_go(self) -> None:
        """Send SIGTERM, once: a second one would wait for nobody."""
        self.told_at = time.monotonic()
        self.process.terminate()

    async def until_gone(self, grace_s: float) -> bool:
        """Wait for the end, and kill it after that time; say whether it went by itself."""
        done, _ = await asyncio.wait({self.process.exited}, timeout=grace_s)
        if not done:
            self.process.kill()
        await asyncio.shield(self.process.exited)
        self.gone_at = time.monotonic()
        return bool(done)

    async def _ask(self) -> dict[str, object]:
        """Return what the process says of itself. Raises Unfit."""
        path = "/worker" if self.kind is Kind.WORKER else "/api/options"
        try:
            async with httpx2.AsyncClient(timeout=_ANSWERS_WITHIN_S, verify=NO_TLS) as http:
                answer = (await http.get(self.url + path)).raise_for_status()
        except httpx2.HTTPError as error:
            raise Unfit(f"does not say what it is: {error!r}") from error
        return dict(answer.json())
