"""A store on a real Redis, under a prefix of its own for each test."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from sessions.ids import SessionId, UserId, WorkerId, new_identity, new_session_id, room_name
from sessions.model import AgentProcess, Newcomer
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.support.servers import RedisServer


@pytest.fixture
def settings(redis_server: RedisServer) -> StoreSettings:
    return StoreSettings(
        redis_url=SecretStr(redis_server.url), redis_prefix=f"test-{secrets.token_hex(6)}"
    )


@pytest.fixture
def make_store(redis: Redis, settings: StoreSettings) -> Callable[..., SessionStore]:
    """Builds further stores on the same keys, with other limits or another clock."""

    def make(*, now_ms: int | None = None, **changes: object) -> SessionStore:
        return SessionStore(redis, settings.model_copy(update=changes), now_ms=now_ms)

    return make


def newcomer(session_id: SessionId | None = None) -> Newcomer:
    session_id = session_id or new_session_id()
    identity = new_identity()
    return Newcomer(
        id=session_id,
        user_id=UserId("ada"),
        identity=identity,
        room=room_name(session_id),
        secret_hash="0" * 64,
    )


def agent(job_id: str = "AJ_one", worker: str = "worker-1") -> AgentProcess:
    return AgentProcess(worker_id=WorkerId(worker), pid=4711, job_id=job_id, prewarmed=True)
