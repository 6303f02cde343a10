"""The provider's keys over real HTTP: how often it is asked, and what it may answer."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.integration.tokenserver.access.conftest import Clock
from tests.support.identity_provider import (
    IdentityProvider,
    access_settings,
    ec_key,
    rsa_key,
    running_provider,
)
from tests.support.wait import eventually
from tokenserver.access.keys import MAX_ANSWER_BYTES, KeySet, KeysUnavailable, open_keys
from tokenserver.access.settings import AccessSettings

TTL_S, STALE_S, COOLDOWN_S = 600, 3600, 30


@asynccontextmanager
async def opened(
    provider: IdentityProvider, clock: Clock, **values: object
) -> AsyncIterator[KeySet]:
    times = {
        "auth_keys_ttl_s": TTL_S,
        "auth_keys_stale_s": STALE_S,
        "auth_keys_cooldown_s": COOLDOWN_S,
    }
    async with open_keys(access_settings(provider, **times | values), clock=clock) as keys:
        yield keys


async def kid_of(keys: KeySet, kid: str | None, alg: str = "RS256") -> str | None:
    """Return the name of the key that is found, or None."""
    key = await keys.find(kid, alg)
    return None if key is None else key.kid


async def until_settled(keys: KeySet) -> None:
    async def is_settled() -> bool:
        return keys._question is None

    await eventually(is_settled)


async def test_keys_are_asked_for_when_needed_and_once(
    provider: IdentityProvider, clock: Clock
) -> None:
    provider.publish(rsa_key())
    async with opened(provider, clock) as keys:
        assert provider.requests == 0
        for _ in range(5):
            assert await kid_of(keys, "rsa-1") == "rsa-1"
            clock.now_s += TTL_S / 10
    assert provider.requests == 1


async def test_who_comes_together_shares_one_answer(
    provider: IdentityProvider, clock: Clock
) -> None:
    provider.publish(rsa_key())
    async with opened(provider, clock) as keys:
        found = await asyncio.gather(*(kid_of(keys, "rsa-1") for _ in range(20)))
    assert found == ["rsa-1"] * 20
    assert provider.requests == 1


async def test_who_gives_up_does_not_take_the_answer_from_others(
    provider: IdentityProvider, clock: Clock
) -> None:
    provider.publish(rsa_key())
    may_answer = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        await may_answer.wait()
        return await provider.answer_keys(request)

    provider.answer = slow
    async with opened(provider, clock) as keys:
        impatient = asyncio.create_task(kid_of(keys, "rsa-1"))
        patient = asyncio.create_task(kid_of(keys, "rsa-1"))

        async def is_asked() -> bool:
            return provider.requests == 1

        await eventually(is_asked)
        impatient.cancel()
        await asyncio.wait([impatient])
        may_answer.set()
        assert await patient == "rsa-1"
    assert provider.requests == 1


async def test_the_algorithm_has_to_fit_the_key(provider: IdentityProvider, clock: Clock) -> None:
    provider.publish(rsa_key(), ec_key())
    async with opened(provider, clock) as keys:
        assert await kid_of(keys, "ec-1", "ES256") == "ec-1"
        assert await kid_of(keys, "ec-1", "RS256") is None
        assert await kid_of(keys, "rsa-1", "ES256") is None
        assert await kid_of(keys, "ec-1", "ES384") is None


async def test_a_token_may_name_no_key_if_only_one_fits(
    provider: IdentityProvider, clock: Clock
) -> None:
    provider.publish(rsa_key(), ec_key(), ec_key("ec-2"))
    async with opened(provider, clock) as keys:
        assert await kid_of(keys, None, "RS256") == "rsa-1"
        assert await kid_of(keys, None, "ES256") is None


async def test_a_hundred_unknown_keys_make_one_question(
    provider: IdentityProvider, clock: Clock
) -> None:
    """Attack 4: whoever invents key ids must not make us flood the provider."""
    provider.publish(rsa_key())
    async with opened(provider, clock) as keys:
        assert await kid_of(keys, "rsa-1") == "rsa-1"
        clock.now_s += COOLDOWN_S
        found = await asyncio.gather(*(kid_of(keys, f"invented-{n}") for n in range(100)))
        found += [await kid_of(keys, f"invented-too-{n}") for n in range(100)]
        assert found == [None] * 200
        assert provider.requests == 2
        clock.now_s += COOLDOWN_S
        assert await kid_of(keys, "invented") is None
        assert provider.requests == 3


async def test_unknown_keys_at_the_very_start_make_one_question(
    provider: IdentityProvider, clock: Clock
) -> None:
    """Attack 4: the first answer is fresh enough to refuse them."""
    provider.publish(rsa_key())
    async with opened(provider, clock) as keys:
        found = await asyncio.gather(*(kid_of(keys, f"invented-{n}") for n in range(100)))
    assert found == [None] * 100
    assert provider.requests == 1


async def test_a_new_key_is_found_by_asking_again(provider: IdentityProvider, clock: Clock) -> None:
    provider.publish(rsa_key())
    async with opened(provider, clock) as keys:
        await keys.find("rsa-1", "RS256")
        provider.publish(rsa_key("rsa-2"))
        assert await kid_of(keys, "rsa-2") is None  # within the cooldown
        clock.now_s += COOLDOWN_S
        assert await kid_of(keys, "rsa-2") == "rsa-2"
        assert await kid_of(keys, "rsa-1") is None  # taken back by the provider


async def test_who_comes_for_a_new_key_together_shares_one_answer(
    provider: IdentityProvider, clock: Clock
) -> None:
    provider.publish(rsa_key())
    async with opened(provider, clock) as keys:
        await keys.find("rsa-1", "RS256")
        provider.publish(rsa_key("rsa-2"))
        clock.now_s += COOLDOWN_S
        found = await asyncio.gather(*(kid_of(keys, "rsa-2") for _ in range(20)))
    assert found == ["rsa-2"] * 20
    assert provider.requests == 2


async def test_a_slow_answer_is_not_asked_for_twice(
    provider: IdentityProvider, clock: Clock
) -> None:
    """Attack 4: also where answers take longer than the cooldown."""
    provider.publish(rsa_key())

    async def slow(request: web.Request) -> web.StreamResponse:
        clock.now_s += COOLDOWN_S
        return await provider.answer_keys(request)

    provider.answer = slow
    async with opened(provider, clock) as keys:
        assert await kid_of(keys, "invented") is None
    assert provider.requests == 1


async def test_keys_are_renewed_before_their_time_is_up_and_nobody_waits(
    provider: IdentityProvider, clock: Clock
) -> None:
    provider.publish(rsa_key())
    async with opened(provider, clock) as keys:
        await keys.find("rsa-1", "RS256")
        provider.publish(rsa_key("rsa-2"))
        clock.now_s += TTL_S * 0.9
        assert await kid_of(keys, "rsa-1") == "rsa-1"
        await until_settled(keys)
        assert provider.requests == 2
        assert await kid_of(keys, "rsa-2") == "rsa-2"
    assert provider.requests == 2


async def test_keys_do_not_outlive_their_time_while_the_provider_answers(
    provider: IdentityProvider, clock: Clock
) -> None:
    provider.publish(rsa_key())
    async with opened(provider, clock) as keys:
        await keys.find("rsa-1", "RS256")
        provider.publish(rsa_key("rsa-2"))
        clock.now_s += TTL_S
        assert await kid_of(keys, "rsa-1") is None
    assert provider.requests == 2


async def test_known_keys_count_while_the_provider_fails(
    provider: IdentityProvider, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Attack 5: its outage is not ours, for as long as its keys may be used."""
    provider.publish(rsa_key())
    async with opened(provider, clock) as keys:
        await keys.find("rsa-1", "RS256")
        provider.fail()
        clock.now_s += TTL_S
        with caplog.at_level(logging.WARNING):
            assert await kid_of(keys, "rsa-1") == "rsa-1"
        assert [record.reason for record in caplog.records] == [  # type: ignore[attr-defined]
            "the answer has status 500"
        ]
        for _ in range(10):  # within one cooldown: nobody is asked
            assert await kid_of(keys, "rsa-1") == "rsa-1"
        assert provider.requests == 2
        clock.now_s += STALE_S
        assert await kid_of(keys, "rsa-1") == "rsa-1"
        await until_settled(keys)
        clock.now_s += COOLDOWN_S
        with pytest.raises(KeysUnavailable):
            await keys.find("rsa-1", "RS256")


async def test_nobody_waits_for_a_provider_that_failed_before(
    provider: IdentityProvider, clock: Clock
) -> None:
    """Attack 5: while it hangs, known keys answer at once, and it is asked beside that."""
    provider.publish(rsa_key())
    async with opened(provider, clock) as keys:
        await keys.find("rsa-1", "RS256")
        provider.fail()
        clock.now_s += TTL_S
        assert await kid_of(keys, "rsa-1") == "rsa-1"
        assert provider.requests == 2
        hang(provider)
        clock.now_s += COOLDOWN_S
        assert await kid_of(keys, "rsa-1") == "rsa-1"
        assert keys._question is not None  # still under way

        async def is_asked() -> bool:
            return provider.requests == 3

        await eventually(is_asked)


async def test_a_new_key_cannot_be_judged_while_the_provider_fails(
    provider: IdentityProvider, clock: Clock
) -> None:
    """Attack 5: it may be good, so the answer is "later", not "no"; and later means it."""
    provider.publish(rsa_key())
    async with opened(provider, clock) as keys:
        await keys.find("rsa-1", "RS256")
        provider.fail()
        clock.now_s += COOLDOWN_S
        for _ in range(10):
            with pytest.raises(KeysUnavailable) as caught:
                await keys.find("rsa-2", "RS256")
            assert caught.value.retry_after_s == COOLDOWN_S
        assert provider.requests == 2
        provider.publish(rsa_key("rsa-2"))
        clock.now_s += COOLDOWN_S
        assert await kid_of(keys, "rsa-2") == "rsa-2"


async def test_a_provider_that_hangs_is_not_waited_for(
    provider: IdentityProvider, clock: Clock
) -> None:
    """Attack 5: with the default time-out, whoever asks knows within two seconds."""
    hang(provider)
    default_s = AccessSettings.model_fields["auth_keys_timeout_s"].default
    assert default_s < 2
    async with opened(provider, clock, auth_keys_timeout_s=default_s) as keys:
        async with asyncio.timeout(15):
            with pytest.raises(KeysUnavailable):
                await keys.find("rsa-1", "RS256")
    assert provider.requests == 1


async def test_who_has_no_key_at_all_asks_again_soon(
    provider: IdentityProvider, clock: Clock
) -> None:
    provider.publish(rsa_key())
    provider.fail()
    async with opened(provider, clock) as keys:
        for _ in range(10):
            with pytest.raises(KeysUnavailable) as caught:
                await keys.find("rsa-1", "RS256")
            assert caught.value.retry_after_s == 5
        assert provider.requests == 1
        provider.publish(rsa_key())
        clock.now_s += 5
        assert await kid_of(keys, "rsa-1") == "rsa-1"


async def test_nobody_listening_is_a_failure_like_others(clock: Clock) -> None:
    async with running_provider() as gone:
        pass
    async with opened(gone, clock) as keys:
        with pytest.raises(KeysUnavailable):
            await keys.find("rsa-1", "RS256")


@pytest.mark.parametrize("status", [201, 301, 404, 429, 503])
async def test_only_a_plain_success_counts(
    provider: IdentityProvider, clock: Clock, status: int
) -> None:
    provider.publish(rsa_key())
    provider.fail(status)
    async with opened(provider, clock) as keys:
        with pytest.raises(KeysUnavailable):
            await keys.find("rsa-1", "RS256")


async def test_a_redirect_is_not_followed(provider: IdentityProvider, clock: Clock) -> None:
    async with running_provider() as elsewhere:
        elsewhere.publish(rsa_key())

        async def redirect(_: web.Request) -> web.StreamResponse:
            raise web.HTTPFound(elsewhere.url)

        provider.answer = redirect
        async with opened(provider, clock) as keys:
            with pytest.raises(KeysUnavailable):
                await keys.find("rsa-1", "RS256")
        assert elsewhere.requests == 0


async def test_an_answer_far_too_long_is_left(provider: IdentityProvider, clock: Clock) -> None:
    """Reading stops at the bound, long before the time-out."""
    sent_bytes = 0

    async def enormous(request: web.Request) -> web.StreamResponse:
        nonlocal sent_bytes
        response = web.StreamResponse()
        await response.prepare(request)
        while sent_bytes < 64 * 1024 * 1024:
            await response.write(b" " * 16_384)
            sent_bytes += 16_384
            await asyncio.sleep(0)
        return response

    provider.answer = enormous
    async with opened(provider, clock) as keys:
        with pytest.raises(KeysUnavailable):
            await keys.find("rsa-1", "RS256")
    # What the buffers between the two may hold comes on top.
    assert MAX_ANSWER_BYTES <= sent_bytes < MAX_ANSWER_BYTES + 32 * 1024 * 1024


async def test_a_long_answer_is_refused_though_it_would_be_right(
    provider: IdentityProvider, clock: Clock
) -> None:
    provider.publish(rsa_key())
    provider.document["padding"] = "x" * MAX_ANSWER_BYTES
    async with opened(provider, clock) as keys:
        with pytest.raises(KeysUnavailable):
            await keys.find("rsa-1", "RS256")


async def test_a_compressed_answer_is_not_unpacked(
    provider: IdentityProvider, clock: Clock
) -> None:
    provider.publish(rsa_key())
    accepted: list[str] = []

    async def compressed(request: web.Request) -> web.StreamResponse:
        accepted.append(request.headers["Accept-Encoding"])
        body = gzip.compress(json.dumps(provider.document).encode())
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    provider.answer = compressed
    async with opened(provider, clock) as keys:
        with pytest.raises(KeysUnavailable):
            await keys.find("rsa-1", "RS256")
    assert accepted == ["identity"]


async def test_an_empty_answer_does_not_take_the_old_keys_away(
    provider: IdentityProvider, clock: Clock
) -> None:
    provider.publish(rsa_key())
    async with opened(provider, clock) as keys:
        await keys.find("rsa-1", "RS256")
        provider.publish()
        clock.now_s += TTL_S
        assert await kid_of(keys, "rsa-1") == "rsa-1"
    assert provider.requests == 2


async def test_the_end_does_not_wait_for_a_provider_that_hangs(
    provider: IdentityProvider, clock: Clock
) -> None:
    hang(provider)
    started_s = time.monotonic()
    async with opened(provider, clock) as keys:
        waiting = asyncio.create_task(keys.find("rsa-1", "RS256"))

        async def is_asked() -> bool:
            return provider.requests == 1

        await eventually(is_asked)
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert time.monotonic() - started_s < 9  # the time-out is 10 s


def hang(provider: IdentityProvider) -> None:
    async def hanging(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    provider.answer = hanging
