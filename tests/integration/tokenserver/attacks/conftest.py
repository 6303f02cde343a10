"""Token servers to attack, beside the Redis and the LiveKit of the other tests of the API.

`strict` knows its users by the tokens of a real identity provider, stands behind one proxy, and has
pages.
`limited` has the limits of the defaults, few places for connections, and no admin.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from devstack.services.keys import Keys
from devstack.services.ports import Ports
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.service import Service
from devstack.settings import process_environment
from sessions.batch import Client
from sessions.connection import Temper, connect
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.integration.tokenserver.conftest import ADMIN_KEY, TokenServer, bearer, variables
from tests.support.builds import make_build
from tests.support.identity_provider import (
    AUDIENCE,
    ISSUER,
    IdentityProvider,
    rsa_key,
    running_provider,
)
from tests.support.loops import BackgroundLoop
from tests.support.plain import NO_TLS
from tests.support.servers import running

STRICT_CAPACITY = 100
STRICT_QUEUE = 50
STARTS_PER_USER = 20
#: The one other origin whose pages may call `strict`.
ORIGIN = "https://app.example.com"
PREVIOUS_KEY, PREVIOUS_SECRET = "APIprevious", "previous-" * 5
CONNECTIONS, WATCHERS, WATCHERS_PER_ADDRESS = 64, 6, 4


@contextmanager
def beside(
    neighbour: TokenServer, run_dir: Path, name: str, settings: Mapping[str, str]
) -> Iterator[TokenServer]:
    """Run one more token server, on the Redis and LiveKit of another, with keys of its own."""
    log, livekit = run_dir / f"{name}.log", neighbour.livekit
    shared = {
        "REDIS_URL": neighbour.redis_url,
        "REDIS_PREFIX": name,
        "LIVEKIT_URL": livekit.url,
        "LIVEKIT_API_KEY": livekit.api_key,
        "LIVEKIT_API_SECRET": livekit.api_secret,
        # Nobody comes here, and nobody is to be sent again while a test looks.
        "CLAIM_DEADLINE_S": "60",
    }

    def describe(ports: Ports) -> list[Service]:
        env = process_environment() | variables(ports, Keys.generate()) | shared | dict(settings)
        command = Command(
            name="tokenserver",
            argv=(sys.executable, "-m", "tokenserver"),
            env={name: value for name, value in env.items() if value},
            log=log,
        )
        url = f"http://127.0.0.1:{ports.tokenserver}"
        return [Service(command=command, url=url, ready=http_ok(f"{url}/readyz"))]

    with running(describe, name) as (_, ports):
        yield TokenServer(
            url=f"http://127.0.0.1:{ports.tokenserver}",
            log=log,
            redis_url=neighbour.redis_url,
            livekit=livekit,
        )


def user_settings(provider: IdentityProvider) -> dict[str, str]:
    """Return the settings of a token server that trusts this provider."""
    return {
        "AUTH_MODE": "jwt",
        "AUTH_ISSUER": ISSUER,
        "AUTH_AUDIENCE": AUDIENCE,
        "AUTH_JWKS_URL": provider.url,
        "AUTH_KEYS_TIMEOUT_S": "10",
    }


@contextmanager
def provider_in_background() -> Iterator[IdentityProvider]:
    """Yield an identity provider that outlives the loops of single tests."""
    with BackgroundLoop() as loop:
        stack = AsyncExitStack()
        provider = loop.run(stack.enter_async_context(running_provider()))
        provider.publish(rsa_key())
        try:
            yield provider
        finally:
            loop.run(stack.aclose())


@pytest.fixture(scope="session")
def provider() -> Iterator[IdentityProvider]:
    with provider_in_background() as provider:
        yield provider


@pytest.fixture(scope="session")
def strict(
    tokenserver: TokenServer, provider: IdentityProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TokenServer]:
    settings = user_settings(provider) | {
        "MAX_SESSIONS": str(STRICT_CAPACITY),
        "QUEUE_LIMIT": str(STRICT_QUEUE),
        "USER_STARTS_PER_MINUTE": str(STARTS_PER_USER),
        "TICKET_TTL_S": "120",
        "TRUSTED_PROXY_HOPS": "1",
        "CORS_ORIGINS": json.dumps([ORIGIN]),
        "LIVEKIT_PREVIOUS_API_KEY": PREVIOUS_KEY,
        "LIVEKIT_PREVIOUS_API_SECRET": PREVIOUS_SECRET,
        "LOG_LEVEL": "DEBUG",
        "WEB_DIR": str(make_build(tmp_path_factory.mktemp("pages") / "dist")),
    }
    with beside(tokenserver, tmp_path_factory.mktemp("strict"), "strict", settings) as server:
        yield server


@pytest.fixture(scope="session")
def limited(
    tokenserver: TokenServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TokenServer]:
    settings = {
        **dict.fromkeys(
            ("START_LIMIT_PER_MINUTE", "TOKEN_LIMIT_PER_MINUTE", "READ_LIMIT_PER_MINUTE"), ""
        ),
        "ADMIN_API_KEY": "",
        "MAX_SESSIONS": "200",
        "CORS_ORIGINS": '["*"]',
        "CONNECTIONS_LIMIT": str(CONNECTIONS),
        "WATCHERS_LIMIT": str(WATCHERS),
        "WATCHERS_PER_ADDRESS": str(WATCHERS_PER_ADDRESS),
    }
    with beside(tokenserver, tmp_path_factory.mktemp("limited"), "limited", settings) as server:
        yield server


@pytest.fixture
async def strict_http(strict: TokenServer) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of `strict`. Whatever a test leaves there is stopped."""
    async with httpx2.AsyncClient(base_url=strict.url, timeout=30, verify=NO_TLS) as client:
        yield client
        for state in ("queued", "live"):  # who waits first, so that they get no slot meanwhile
            left = await client.get(
                "/api/sessions", params={"state": state, "limit": 200}, headers=bearer(ADMIN_KEY)
            )
            for session in left.json()["sessions"]:
                path = f"/api/session/{session['sessionId']}/stop"
                await client.post(path, headers=bearer(ADMIN_KEY))


@pytest.fixture
async def limited_http(limited: TokenServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=limited.url, timeout=30, verify=NO_TLS) as client:
        yield client


@pytest.fixture
def settings(tokenserver: TokenServer) -> StoreSettings:
    """Of the store that the token server of all tests uses; for the fixtures of stores."""
    return StoreSettings.model_validate({"redis_url": tokenserver.redis_url})


@pytest.fixture
def strict_settings(strict: TokenServer) -> StoreSettings:
    return StoreSettings.model_validate(
        {"redis_url": strict.redis_url, "redis_prefix": "strict", "max_sessions": STRICT_CAPACITY}
    )


@pytest.fixture
async def strict_redis(strict_settings: StoreSettings) -> AsyncIterator[Client]:
    client = connect(strict_settings, Temper.PATIENT)
    yield client
    await client.aclose()


@pytest.fixture
def strict_store(strict_redis: Client, strict_settings: StoreSettings) -> SessionStore:
    return SessionStore(strict_redis, strict_settings)
