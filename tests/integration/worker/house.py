"""All services of ours as processes, for one call from start to end: token server and worker."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from devstack.talk.caller import Caller
from sessions.ids import SessionId
from sessions.model import Session
from sessions.states import State
from sessions.store import SessionStore
from tests.integration.worker.fleet import CALL_S, Fleet, WorkerProcess
from tests.support.replicas import ADMIN_KEY, Replica, Replicas, replica_environment
from tests.support.servers import RedisServer
from tests.support.wait import eventually

BACK = "Sorry, I'm back."


@dataclass(frozen=True, kw_only=True)
class House:
    """What runs, and the way in."""

    worker: WorkerProcess
    server: Replica
    http: httpx2.AsyncClient
    store: SessionStore

    async def start(self, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        """Start a session over the API, as an admin does for a user."""
        answer = await self.http.post(
            "/api/session/start", json=body, headers={**self.admin, **headers}
        )
        assert answer.status_code == 201, answer.text
        started: dict[str, Any] = answer.json()
        return started

    @property
    def admin(self) -> dict[str, str]:
        """The headers of an admin."""
        return {"Authorization": f"Bearer {ADMIN_KEY}"}

    async def stop(self, started: dict[str, Any]) -> None:
        """Stop a session as its owner."""
        proof = {name: started[name] for name in ("sessionId", "sessionSecret")}
        (await self.http.post("/api/session/stop", json=proof)).raise_for_status()

    async def until(self, started: dict[str, Any], state: State, *, epoch: int = 1) -> Session:
        """Wait until a session is in a state, under this epoch."""

        async def reached() -> Session | None:
            session = await self.store.get(SessionId(started["sessionId"]))
            is_there = session.status is state and session.epoch == epoch
            return session if is_there else None

        session = await eventually(reached, CALL_S, message=f"{state} under {epoch}")
        assert session is not None
        return session


async def open_house(
    fleet: Fleet,
    redis: RedisServer,
    logs: Path,
    cleanup: AsyncExitStack,
    *,
    of_server: Mapping[str, str] | None = None,
    **changes: str,
) -> House:
    """Start both, with some variables of both changed, and some of the token server's only."""
    worker = await fleet.start_worker(**changes)  # type: ignore[arg-type]
    shared = {
        "AGENT_LEASE_S": "6",
        "AGENT_NAME": fleet.agent_name,
        "MAX_SESSIONS": "50",
        "REDIS_PREFIX": fleet.environment["REDIS_PREFIX"],
        "REDIS_URL": fleet.environment["REDIS_URL"],
    }
    env = replica_environment(redis, fleet.server)
    replicas = Replicas(env, logs, cleanup)
    # Where LiveKit's webhooks go.
    server = await replicas.start(
        fleet.server.webhook_port, **shared | changes | dict(of_server or {})
    )
    http = await replicas.http(server)
    return House(worker=worker, server=server, http=http, store=fleet.store)


def join(started: dict[str, Any]) -> Caller:
    """Return a user who joins with what a start has answered."""
    return Caller(started["serverUrl"], started["participantToken"])
