"""A store on a real Redis, under a prefix of its own for each test."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from sessions.ids import SessionId, UserId, WorkerId, new_identity, new_session_id
from sessions.model import AgentProcess, Newcomer
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.support.servers import RedisServer


@pytest.fixture
def settings(redis_server: RedisServer) -> StoreSettings:
    return StoreSettings(
        redis_url=SecretStr(redis_server.url),
        redis_prefix=f"test-{secrets.token_hex(6)}",
        # One user starts as many as a test needs.
        user_starts_per_minute=0,
    )


@pytest.fixture
def make_store(redis: Redis, settings: StoreSettings) -> Callable[..., SessionStore]:
    """Builds further stores on the same keys, with other limits or another clock."""

    def make(*, now_ms: int | None = None, **changes: object) -> SessionStore:
        return SessionStore(redis, settings.model_copy(update=changes), now_ms=now_ms)

    return make


def newcomer(
    session_id: SessionId | None = None,
    *,
    user: str | None = "ada",
    is_remembered: bool = False,
) -> Newcomer:
    return Newcomer(
        id=session_id or new_session_id(),
        user_id=None if user is None else UserId(user),
        identity=new_identity(),
        secret_hash="0" * 64,
        is_remembered=is_remembered,
    )


def agent(
    job_id: str = "AJ_one", worker: str = "worker-1", *, prewarmed: bool = True
) -> AgentProcess:
    return AgentProcess(worker_id=WorkerId(worker), pid=4711, job_id=job_id, prewarmed=prewarmed)


async def pass_time(store: SessionStore, time_ms: int, *, step_ms: int = 1_000) -> None:
    """Let time pass as it does: with somebody writing now and then."""
    until_ms = (store.now_ms or 0) + time_ms
    while (store.now_ms or 0) < until_ms:
        store.now_ms = min((store.now_ms or 0) + step_ms, until_ms)
        await store.fleet.leave(WorkerId("nobody"))
