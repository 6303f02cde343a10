"""What a benchmark reaches a running API by, and the store behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx2
from pydantic import SecretStr

from devstack.services.ports import LOOPBACK
from sessions.connection import Temper, connect
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.support.plain import NO_TLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A client of the API, and the store that the API writes to."""

    http: httpx2.AsyncClient
    store: SessionStore


@asynccontextmanager
async def reaching(variables: Mapping[str, str], *, timeout_s: float) -> AsyncIterator[Reach]:
    """Reach the API with these variables of its environment (`bench/api_server.py`)."""
    settings = StoreSettings(redis_url=SecretStr(variables["REDIS_URL"]))
    url = f"http://{LOOPBACK}:{variables['TOKENSERVER_PORT']}"
    async with AsyncExitStack() as stack:
        redis = connect(settings, Temper.PATIENT)
        stack.push_async_callback(redis.aclose)
        client = httpx2.AsyncClient(base_url=url, timeout=timeout_s, verify=NO_TLS)
        http = await stack.enter_async_context(client)
        yield Reach(http=http, store=SessionStore(redis, settings))
