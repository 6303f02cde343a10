"""Calls made at the same time do what they would do one after the other, in some order.

Several stores with connections of their own make two to four calls at once, after a past that
Hypothesis makes up. Some order of the model (there are 24 at most) has to explain all answers and
what Redis holds afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from copy import deepcopy
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions.ids import SessionId
from sessions.keys import Keys
from sessions.model import UserPolicy
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.integration.sessions.invariants import START_MS, World
from tests.integration.sessions.model import Model
from tests.integration.sessions.observe import Call, Picture, call, look
from tests.integration.sessions.test_machine import HOW_LOST, agent, newcomer
from tests.support.servers import RedisServer

EXAMPLES = 300
STORES = 4
#: So many examples have to be such that not every order explains what happened.
CONTESTED = 50

Past = list[Call | int]
Present = list[tuple[int, Call]]

ALL_IDS = [SessionId(f"{number:032x}") for number in range(6)]
EPOCHS = st.sampled_from([1, 1, 1, 2])
MAYBE_EPOCHS = st.none() | EPOCHS


def lose(session_id: SessionId, epoch: int | None, how: dict[str, bool]) -> Call:
    return call("lose", session_id, "gone", epoch=epoch, **how)


def calls_about(ids: st.SearchStrategy[SessionId]) -> st.SearchStrategy[Call]:
    """Make up a call, most of them about one of these sessions."""
    admissions = st.builds(
        lambda id_, user, **how: call("admit", newcomer(id_, user), **how),
        ids,
        st.sampled_from([None, "ada", "bob"]),
        policy=st.sampled_from(UserPolicy),
        may_wait=st.booleans(),
    )
    jobs = st.sampled_from(["AJ_1", "AJ_2"]).map(agent)
    simple = st.sampled_from(["mark_closed", "dispatch", "queue.touch", "queue.cancel"])
    why = st.just("gone")
    writes = st.one_of(
        st.builds(call, st.just("claim"), ids, EPOCHS, jobs),
        st.builds(call, st.sampled_from(["renew", "mark_ready"]), ids, EPOCHS),
        st.builds(call, st.just("mark_joined"), ids, epoch=MAYBE_EPOCHS),
        st.builds(lose, ids, MAYBE_EPOCHS, st.sampled_from(HOW_LOST)),
        st.builds(call, st.just("end"), ids, epoch=MAYBE_EPOCHS),
        st.builds(call, st.just("fail"), ids, why, only_if_lapsed=st.booleans()),
        st.builds(call, simple, ids),
        st.builds(call, st.sampled_from(["queue.advance", "suspects"])),
    )
    return st.one_of(admissions, writes, writes)


ARRIVALS = st.integers(2, 5).map(
    lambda crowd: [call("admit", newcomer(id_, None), may_wait=True) for id_ in ALL_IDS[:crowd]]
)
ELAPSED_MS = st.sampled_from([100, 1_000, 2_500, 6_000, 10_000, 25_000])
PASTS = st.tuples(
    ARRIVALS, st.lists(calls_about(st.sampled_from(ALL_IDS)) | ELAPSED_MS, max_size=8)
).map(lambda parts: [*parts[0], *parts[1]])
#: What happens at once is about three of them, so that the calls get into each other's way.
PRESENTS = st.lists(
    st.tuples(st.integers(0, STORES - 1), calls_about(st.sampled_from(ALL_IDS[1:4]))),
    min_size=2,
    max_size=4,
)


@pytest.fixture
def world(redis_server: RedisServer) -> Iterator[World]:
    world = World(redis_server.url)
    yield world
    world.close()


class Crowd:
    """Several services on one Redis, each with a store and connections of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._clients = [world.connect() for _ in range(STORES)]
        #: In how many examples it mattered who came first.
        self.contested = 0

    async def check(self, limits: StoreSettings, past: Past, present: Present) -> None:
        """Live through the past one by one, and through the present at once."""
        stores = [SessionStore(client, limits, now_ms=START_MS) for client in self._clients]
        model, keys = Model(limits, START_MS), Keys(limits.redis_prefix)
        for step in past:
            if isinstance(step, int):
                model.now_ms += step
                for store in stores:
                    store.now_ms = model.now_ms
            else:
                assert await step.of_store(stores[0]) == step.of_model(model), step
        calls = [asked for _, asked in present]
        answers = await asyncio.gather(
            *(asked.of_store(stores[number]) for number, asked in present)
        )
        picture = await look(self._world.redis, keys, ALL_IDS)
        orders = list(permutations(range(len(calls))))
        explanations = [
            order for order in orders if _outcome(model, calls, order) == (answers, picture)
        ]
        await self._world.clear(keys)
        assert explanations, (calls, answers)
        self.contested += len(explanations) < len(orders)


@pytest.mark.timeout(600)
def test_some_order_explains_calls_made_at_once(world: World) -> None:
    crowd = Crowd(world)

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(past=PASTS, present=PRESENTS, slots=st.integers(1, 3), losses=st.integers(0, 1))
    def explain(past: Past, present: Present, slots: int, losses: int) -> None:
        limits = world.limits(slots=slots, queue=3, losses=losses)
        world.run(crowd.check(limits, past, present))

    explain()
    assert crowd.contested >= CONTESTED


def _outcome(
    past: Model, calls: list[Call], order: tuple[int, ...]
) -> tuple[list[object], Picture]:
    """Return what the calls would answer in an order, and what Redis would hold then."""
    model = deepcopy(past)
    answers = {number: calls[number].of_model(model) for number in order}
    return [answers[number] for number in range(len(calls))], model.picture()
