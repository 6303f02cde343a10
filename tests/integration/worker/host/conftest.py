"""Worker processes that need no speech models: they talk to a provider of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sessions.batch import Client
from sessions.settings import StoreSettings
from tests.support.loops import BackgroundLoop
from tests.support.provider import provider


@pytest.fixture(scope="session")
def localvoice_url() -> Iterator[str]:
    """Speech that costs nothing, in place of the models."""
    with BackgroundLoop() as loop:
        serving = provider()
        one = loop.run(serving.__aenter__())
        try:
            yield one.url.removesuffix("/v1")
        finally:
            loop.run(serving.__aexit__(None, None, None))


@pytest.fixture
async def empty_store(redis: Client, settings: StoreSettings) -> None:
    """No worker, no order and no target of another test."""
    async for name in redis.scan_iter(match=f"{{{settings.redis_prefix}}}:*"):
        await redis.delete(name)
