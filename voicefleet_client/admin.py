"""For operators: every session, the fleet, the pool, the workers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx2

from voicefleet_client.answers import understanding
from voicefleet_client.transport import TIMEOUT_S, Connected, TokenSource, Transport


class Admin(Connected):
    """A fleet's API, with an admin key. Every method may raise ApiError, Unreachable."""

    def __init__(
        self,
        base_url: str,
        *,
        admin_key: TokenSource,
        timeout_s: float = TIMEOUT_S,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        super().__init__(Transport(base_url, token=admin_key, timeout_s=timeout_s, http=http))

    async def sessions(
        self, state: str = "live", *, user: str | None = None, worker: str | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield sessions, page by page. `state` is a state, or live, over, all."""
        after: str | None = None
        while True:
            asked = {"state": state, "user": user, "worker": worker, "after": after}
            query = {name: value for name, value in asked.items() if value is not None}
            page = await self._transport.call("GET", "/api/sessions", query=query)
            with understanding():
                sessions, after = list(page["sessions"]), page["next"]
            for session in sessions:
                yield session
            if after is None:
                return

    async def session(self, session_id: str) -> dict[str, Any]:
        """Return any session, as it is in the list."""
        return await self._transport.call("GET", f"/api/sessions/{quote(session_id, safe='')}")

    async def stop(self, session_id: str) -> dict[str, Any]:
        """End any session."""
        return await self._transport.call("POST", f"/api/session/{quote(session_id, safe='')}/stop")

    async def fleet(self) -> dict[str, Any]:
        """Return everything at a glance, with what somebody ought to look at (`alerts`) and what is
        left of the `errorBudget`."""
        return await self._transport.call("GET", "/api/fleet")

    async def history(self, minutes: int = 60) -> dict[str, Any]:
        """Return what happened minute by minute, up to the last 120, this one included."""
        query = {"minutes": str(minutes)}
        return await self._transport.call("GET", "/api/fleet/history", query=query)

    async def resize_pool(self, size: int | None) -> dict[str, Any]:
        """Set how many warm processes the fleet shall have; return the pool.

        With None there is no target any more: they keep what traffic and POOL_SIZE ask for.
        """
        answer = await self._transport.call("POST", "/api/pool/resize", body={"size": size})
        with understanding():
            return dict(answer["pool"])

    async def drain(self, worker_id: str, *, draining: bool = True) -> bool:
        """Order a worker to take no more sessions, or some again; say whether that is new."""
        answer = await self._transport.call(
            "POST", f"/api/workers/{quote(worker_id, safe='')}/drain", body={"draining": draining}
        )
        with understanding():
            return bool(answer["changed"])
