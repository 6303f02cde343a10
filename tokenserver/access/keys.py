"""The keys of the identity provider: asked for rarely, kept while it is away."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp
from joserfc.jwk import Key

from tokenserver.access.jwks import BadKeyDocument, fits, read_jwks
from tokenserver.access.settings import AccessSettings

logger = logging.getLogger("tokenserver")

#: Providers answer with 1 to 20 KiB.
MAX_ANSWER_BYTES = 256 * 1024

#: After this part of their time, keys are renewed in the background, so that nobody waits.
_EARLY = 0.8

#: Without a single key nobody gets in, so the provider is asked again sooner than usual.
_KEYLESS_PAUSE_S = 5.0


class KeysUnavailable(Exception):
    """Raised when a token cannot be judged, since the provider does not tell its keys."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("the identity provider does not tell its keys")
        self.retry_after_s = retry_after_s


class KeySet:
    """The provider's keys.

    They are asked for when the first token comes, and again when ``auth_keys_ttl_s`` are nearly
    over. While the provider does not answer, they count for ``auth_keys_stale_s`` more. A key
    that is not among them makes us ask once more, but not again within ``auth_keys_cooldown_s``,
    whoever sends such tokens, and however many. One question is under way at a time; whoever
    comes meanwhile waits for the same answer.

    An answer without a usable key counts as none: a provider that has lost its keys must not
    lock out everybody who is known by the old ones.
    """

    def __init__(
        self,
        settings: AccessSettings,
        http: aiohttp.ClientSession,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._http = http
        self._clock = clock
        self._keys: tuple[Key, ...] = ()
        self._keys_at_s = -math.inf  # when the keys that we have were asked for
        self._asked_at_s = -math.inf  # when keys were asked for last, whatever came of it
        self._is_failing = False
        self._question: asyncio.Task[None] | None = None

    async def find(self, kid: str | None, alg: str) -> Key | None:
        """Return the key that may check a token's signature, or None when there is none.

        A token that names no key gets one only if no other fits its algorithm. Raises
        KeysUnavailable, after ``auth_keys_timeout_s`` at most, when the provider would have to
        be asked and does not answer.
        """
        has_waited = await self._keep_fresh()
        key = self._held(kid, alg)
        if key is None and not has_waited and self._may_ask_again():
            await self._answer()
            key = self._held(kid, alg)
        if key is None and (self._is_failing or not self._is_usable()):
            raise KeysUnavailable(max(1, math.ceil(self._pause_left_s())))
        return key

    async def aclose(self) -> None:
        """Give up a question that is under way."""
        if (question := self._question) is not None:
            question.cancel()
            await asyncio.wait([question])

    async def _keep_fresh(self) -> bool:
        """Renew keys whose time is up or nearly so. Say whether that was waited for."""
        age_s = self._clock() - self._keys_at_s
        if age_s < self._settings.auth_keys_ttl_s * _EARLY:
            return False
        if self._pause_left_s() > 0:
            return False
        is_usable = self._is_usable()
        if is_usable and (self._is_failing or age_s < self._settings.auth_keys_ttl_s):
            self._ask()  # Nobody has to wait for this answer.
            return False
        await self._answer()
        return True

    def _held(self, kid: str | None, alg: str) -> Key | None:
        if not self._is_usable():
            return None
        fitting = [key for key in self._keys if fits(key, alg)]
        if kid is not None:
            return next((key for key in fitting if key.kid == kid), None)
        return fitting[0] if len(fitting) == 1 else None

    def _is_usable(self) -> bool:
        longest_s = self._settings.auth_keys_ttl_s + self._settings.auth_keys_stale_s
        return self._clock() - self._keys_at_s <= longest_s

    def _pause_left_s(self) -> float:
        """Return for how long a provider that failed is left alone."""
        if not self._is_failing:
            return 0
        pause_s = self._settings.auth_keys_cooldown_s
        if not self._is_usable():
            pause_s = min(pause_s, _KEYLESS_PAUSE_S)
        return self._asked_at_s + pause_s - self._clock()

    def _may_ask_again(self) -> bool:
        """Say whether an unknown key is a reason to ask, or the answer is on its way anyway."""
        if self._question is not None:
            return True
        return self._clock() - self._asked_at_s >= self._settings.auth_keys_cooldown_s

    async def _answer(self) -> None:
        # A caller that gives up must not take the question away from the others.
        await asyncio.shield(self._ask())

    def _ask(self) -> asyncio.Task[None]:
        if self._question is None:
            self._asked_at_s = self._clock()
            self._question = asyncio.create_task(self._renew(), name="identity provider's keys")
        return self._question

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(self._settings.auth_keys_timeout_s):
                document = await self._download()
            self._keys = read_jwks(document)
            self._keys_at_s = self._asked_at_s
            self._is_failing = False
        except (aiohttp.ClientError, TimeoutError, OSError, BadKeyDocument) as error:
            self._is_failing = True
            # What others write into their errors stays out of our log.
            reason = str(error) if isinstance(error, BadKeyDocument) else type(error).__name__
            logger.warning(
                "the identity provider does not tell its keys",
                extra={"reason": reason, "has_keys": self._is_usable()},
            )
        finally:
            self._question = None

    async def _download(self) -> bytes:
        """Return what the provider answers. A redirect is not followed: it could lead anywhere."""
        url = str(self._settings.auth_jwks_url)
        async with self._http.get(url, allow_redirects=False) as response:
            if response.status != HTTPStatus.OK:
                raise BadKeyDocument(f"the answer has status {response.status}")
            document = bytearray()
            async for chunk in response.content.iter_any():
                document += chunk
                if len(document) > MAX_ANSWER_BYTES:
                    raise BadKeyDocument(f"the answer has more than {MAX_ANSWER_BYTES} bytes")
            return bytes(document)


@asynccontextmanager
async def open_keys(
    settings: AccessSettings, *, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[KeySet]:
    """Yield the provider's keys, which nobody has asked for yet; close connections at the end."""
    async with aiohttp.ClientSession(
        # Questions are minutes apart; an idle connection would only be in the way.
        connector=aiohttp.TCPConnector(limit=1, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        # Compressed answers could be far larger than they look.
        auto_decompress=False,
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
    ) as http:
        keys = KeySet(settings, http, clock=clock)
        try:
            yield keys
        finally:
            await keys.aclose()
