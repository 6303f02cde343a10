"""What one process learns of a provider's outage, the others know: on a real Redis.

Each `Outages` here stands for a process; the clock is the test's, so that no test waits for the end
of an outage.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from pydantic import SecretStr

from sessions.batch import Client
from sessions.connection import Temper, connect
from sessions.keys import Keys
from sessions.outages import Outage
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.support.clock import Clock
from tests.support.wait import eventually
from worker.voice.outages import Outages

pytestmark = pytest.mark.timeout(60)

MODEL = "0123456789abcdef" * 2
NAME = "llm 127.0.0.1:1/some-model"
LONGEST_S = 80.0


Process = Callable[[], Outages]
Shown = Callable[[], Awaitable[tuple[Outage, ...]]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(settings: StoreSettings) -> Keys:
    return Keys(settings.redis_prefix)


@pytest.fixture
async def process(redis: Client, keys: Keys, clock: Clock) -> AsyncIterator[Callable[[], Outages]]:
    await redis.delete(keys.outage(MODEL), keys.outage_wait(MODEL), keys.outages)
    started: list[Outages] = []

    def start() -> Outages:
        one = Outages(redis, keys, LONGEST_S, clock=clock)
        one.watch({MODEL: NAME})
        started.append(one)
        return one

    yield start
    for one in started:
        await one.aclose()


async def let_the_outage_lapse(redis: Client, keys: Keys, clock: Clock) -> None:
    """Do what time would do."""
    await redis.delete(keys.outage_wait(MODEL))
    clock.now += LONGEST_S + 1


async def test_what_one_learns_all_know(process: Process) -> None:
    one, other = process(), process()
    assert other.may_ask(MODEL)
    one.report_failure(MODEL)
    assert not one.may_ask(MODEL)

    async def other_knows() -> bool:
        return not other.may_ask(MODEL)

    await eventually(other_knows)
    assert other.is_down(MODEL)


async def test_a_process_that_starts_later_knows_too(process: Process) -> None:
    one = process()
    one.report_failure(MODEL)
    await one.look()
    late = process()
    await late.look()
    assert not late.may_ask(MODEL)


async def test_one_process_tries_it_and_only_once(
    process: Process, redis: Client, keys: Keys, clock: Clock
) -> None:
    """1. The outage lapses. 2. Five processes look, and each makes three requests.

    Result: one request of all fifteen is a trial.
    """
    crowd = [process() for _ in range(5)]
    crowd[0].report_failure(MODEL)
    for _ in range(2):  # with a connection for each
        await asyncio.gather(*(one.look() for one in crowd))
    await let_the_outage_lapse(redis, keys, clock)
    await asyncio.gather(*(one.look() for one in crowd))
    assert sum(one.may_ask(MODEL) for one in crowd for _ in range(3)) == 1


async def test_the_first_request_of_a_call_is_no_trial(
    process: Process, redis: Client, keys: Keys, clock: Clock
) -> None:
    """Its user would wait for it; later ones are answered by another model meanwhile."""
    one = process()
    one.report_failure(MODEL)
    await one.look()
    await one.aclose()
    await let_the_outage_lapse(redis, keys, clock)
    late = process()
    await late.look()
    assert [late.may_ask(MODEL) for _ in range(3)] == [False, True, False]


async def test_a_trial_that_succeeds_opens_it_for_all(
    process: Process, redis: Client, keys: Keys
) -> None:
    one, other = process(), process()
    one.report_failure(MODEL)
    await one.look()
    await other.look()
    one.report_success(MODEL)
    assert one.may_ask(MODEL)

    async def other_may() -> bool:
        return not other.is_down(MODEL) and other.may_ask(MODEL)

    await eventually(other_may)
    assert await redis.exists(keys.outage(MODEL)) == 0


async def test_each_trial_in_vain_makes_it_longer_up_to_a_bound(
    process: Process, redis: Client, keys: Keys, clock: Clock
) -> None:
    one = process()
    waits: list[int] = []
    for _ in range(6):
        one.report_failure(MODEL)
        await one.look()
        waits.append(round(await redis.pttl(keys.outage_wait(MODEL)) / 1000))
        assert await redis.pttl(keys.outage(MODEL)) > waits[-1] * 1000
        await let_the_outage_lapse(redis, keys, clock)
    assert waits == pytest.approx([10, 20, 40, 80, 80, 80], abs=2)


async def test_many_that_see_it_first_count_as_one(
    process: Process, redis: Client, keys: Keys
) -> None:
    crowd = [process() for _ in range(5)]
    for one in crowd:
        one.report_failure(MODEL)
    await asyncio.gather(*(one.look() for one in crowd))
    assert int(await redis.get(keys.outage(MODEL)) or 0) == 1


async def test_who_sees_it_for_the_first_time_does_not_make_it_shorter(
    process: Process, redis: Client, keys: Keys
) -> None:
    await redis.set(keys.outage(MODEL), 3, px=60_000)
    newcomer = process()
    newcomer.report_failure(MODEL)
    await newcomer.look()
    assert int(await redis.get(keys.outage(MODEL)) or 0) == 3


async def test_without_redis_each_knows_what_it_learnt_itself(
    settings: StoreSettings, keys: Keys, clock: Clock
) -> None:
    nowhere = settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    redis = connect(nowhere, Temper.HASTY)
    alone = Outages(redis, keys, LONGEST_S, clock=clock)
    alone.watch({MODEL: NAME})
    alone.report_failure(MODEL)
    assert not alone.may_ask(MODEL)
    clock.now += LONGEST_S + 1

    async def may_try() -> bool:
        return alone.may_ask(MODEL)

    await eventually(may_try)
    assert not alone.may_ask(MODEL)
    alone.report_success(MODEL)
    assert alone.may_ask(MODEL)
    await alone.aclose()
    await redis.aclose()


async def test_redis_that_comes_back_empty_closes_no_provider_for_ever(
    process: Process, redis: Client, keys: Keys
) -> None:
    one = process()
    one.report_failure(MODEL)
    await one.look()

    async def is_forgotten() -> bool:
        # More than once: it may be telling of the failure by itself at this very moment.
        await redis.delete(keys.outage(MODEL), keys.outage_wait(MODEL))
        await one.look()
        return one.may_ask(MODEL)

    await eventually(is_forgotten)


async def test_what_is_written_lapses_and_names_nothing(
    process: Process, redis: Client, keys: Keys
) -> None:
    one = process()
    one.report_failure(MODEL)
    await one.look()
    names = [name async for name in redis.scan_iter(match=f"{{{keys.prefix}}}:outage:*")]
    assert len(names) == 2
    for name in names:
        assert 0 < await redis.ttl(name) <= LONGEST_S + 120
    assert await redis.ttl(keys.outages) > 0


@pytest.fixture
def shown(redis: Client, settings: StoreSettings) -> Shown:
    """Read what operators are shown of outages."""
    store = SessionStore(redis, settings)

    async def read() -> tuple[Outage, ...]:
        return (await store.views.summary()).outages

    return read


async def test_operators_are_told_what_is_down_since_when_and_until_when(
    process: Process, redis: Client, keys: Keys, clock: Clock, shown: Shown
) -> None:
    """1. A model fails. 2. Its while is over. 3. The trial fails. 4. The next one does not."""
    one = process()
    assert await shown() == ()
    before_s, _ = await redis.time()
    one.report_failure(MODEL)
    await one.look()
    (first,) = await shown()
    assert (first.name, first.failures) == (NAME, 1)
    after_s, _ = await redis.time()
    assert before_s * 1000 <= first.since_ms < (after_s + 1) * 1000
    assert first.until_ms is not None
    assert first.since_ms < first.until_ms < (after_s + 1 + LONGEST_S / 8) * 1000

    await let_the_outage_lapse(redis, keys, clock)
    (due,) = await shown()
    assert due == replace(first, until_ms=None)

    one.report_failure(MODEL)
    await one.look()
    (second,) = await shown()
    assert (second.since_ms, second.failures) == (first.since_ms, 2)
    assert second.until_ms is not None

    one.report_success(MODEL)
    await one.look()
    assert await shown() == ()
    assert await redis.hlen(keys.outages) == 0


async def test_an_outage_that_is_over_by_itself_is_not_shown_and_the_next_one_is_new(
    process: Process, redis: Client, keys: Keys, shown: Shown
) -> None:
    """Nobody asked the model for long: its keys lapsed, its name is still listed."""
    await redis.hset(keys.outages, MODEL, "1 llm old/name")
    assert await shown() == ()
    one = process()
    one.report_failure(MODEL)
    await one.look()
    (outage,) = await shown()
    assert outage.name == NAME
    assert outage.since_ms > 1


async def test_what_cannot_be_read_ends_nothing(
    process: Process, redis: Client, keys: Keys
) -> None:
    """1. Something else stands where outages are written. 2. It is gone; another process tells.

    Result: this one has gone on to look.
    """
    await redis.set(keys.outage(MODEL), "no number")
    one, other = process(), process()
    await asyncio.sleep(0)

    async def has_stumbled() -> bool:
        with pytest.raises(ValueError, match="no number"):
            await one.look()
        return True

    await eventually(has_stumbled)
    await redis.delete(keys.outage(MODEL))
    other.report_failure(MODEL)

    async def knows() -> bool:
        return not one.may_ask(MODEL)

    await eventually(knows)
