"""A real identity provider in small: it publishes keys over HTTP, and signs tokens.

    async with running_provider() as provider:
        provider.publish(KEY)
        token = provider.token(KEY, claims={"sub": "anna"})

Its `answer` can be replaced, for a provider that fails, hangs, redirects or never ends.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from tokenserver.access.settings import AccessSettings, AuthMode

ISSUER = "https://id.example.com/"
AUDIENCE = "voicefleet"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@cache
def rsa_key(kid: str = "rsa-1") -> RSAKey:
    """Return a key pair, always the same for one name: making it takes a while."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


@cache
def ec_key(kid: str = "ec-1", curve: str = "P-256") -> ECKey:
    """Return a key pair on a curve, always the same for one name."""
    return ECKey.generate_key(curve, {"kid": kid, "use": "sig"})


@cache
def okp_key(kid: str = "okp-1") -> OKPKey:
    """Return an Ed25519 key pair, always the same for one name."""
    return OKPKey.generate_key("Ed25519", {"kid": kid, "use": "sig"})


class IdentityProvider:
    """Publishes keys at `url`, and counts how often it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.requests = 0
        self.document: dict[str, object] = {"keys": []}
        self.answer: Answer = self.answer_keys

    def publish(self, *keys: Key) -> None:
        """Answer with these keys from now on, without their private halves."""
        self.document = {"keys": [key.as_dict(private=False) for key in keys]}
        self.answer = self.answer_keys

    def token(
        self,
        key: Key,
        *,
        alg: str = "",
        header: Mapping[str, object] | None = None,
        claims: Mapping[str, object] | None = None,
        without: str = "",
    ) -> str:
        """Sign a token with good claims, of which some are replaced and one is left out."""
        own_alg = {"RSA": "RS256", "EC": "ES256", "OKP": "Ed25519", "oct": "HS256"}[key.key_type]
        now_s = int(time.time())
        good: dict[str, object] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "anna",
            "iat": now_s,
            "exp": now_s + 600,
        }
        content = good | dict(claims or {})
        content.pop(without, None)
        head = {"alg": alg or own_alg, "kid": key.kid} | dict(header or {})
        registry = JWSRegistry(algorithms=[str(head["alg"])], strict_check_header=False)
        return jwt.encode(head, content, key, registry=registry)

    async def answer_keys(self, _: web.Request) -> web.StreamResponse:
        """Answer as a provider does."""
        return web.json_response(self.document)

    def fail(self, status: int = 500) -> None:
        """Answer with an error from now on, with the keys in its body."""

        async def failing(_: web.Request) -> web.StreamResponse:
            return web.json_response(self.document, status=status)

        self.answer = failing

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Count, and answer."""
        self.requests += 1
        return await self.answer(request)


@asynccontextmanager
async def running_provider() -> AsyncIterator[IdentityProvider]:
    """Yield a provider that listens on a free port of this machine."""
    provider = IdentityProvider()
    app = web.Application()
    app.router.add_get("/{path:.*}", provider.handle)
    # A handler that hangs is ended with its connection, so nothing waits for it here.
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0]
        provider.url = f"http://{host}:{port}/keys"
        yield provider
    finally:
        await runner.cleanup()


def access_settings(provider: IdentityProvider, **values: object) -> AccessSettings:
    """Return settings that trust this provider, with a generous time-out for busy machines."""
    return AccessSettings.model_validate(
        {
            "auth_mode": AuthMode.JWT,
            "auth_issuer": ISSUER,
            "auth_audience": AUDIENCE,
            "auth_jwks_url": provider.url,
            "auth_keys_timeout_s": 10,
            **values,
        }
    )
