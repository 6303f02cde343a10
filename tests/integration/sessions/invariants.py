"""What holds after every step of a store, whatever the steps are; and the world they run in."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from itertools import count, pairwise
from typing import Any, ClassVar, TypeVar

from hypothesis.stateful import RuleBasedStateMachine, invariant
from pydantic import SecretStr
from redis.asyncio import Redis

from sessions.ids import SessionId
from sessions.keys import Keys
from sessions.model import Admission, AgentProcess, Loss, Outcome, Reply
from sessions.settings import StoreSettings
from sessions.states import HOLDING, LIVE, TERMINAL, TRANSITIONS, State
from sessions.store import SessionStore
from tests.integration.sessions.model import Model
from tests.integration.sessions.observe import Call, Picture, call, look

T = TypeVar("T")

START_MS = 1_700_000_000_000
#: A call about a session that nobody knows changes nothing, but shows that Redis is there.
NOBODY = SessionId("f" * 32)
STARTS = frozenset({State.QUEUED, State.STARTING})
LEFT_TO_OWNERS = ("store", "counts", "pool_stats", "pool_target")


class World:
    """What all examples share: one event loop, one Redis, and how many steps there were."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.steps = 0
        self._name = f"machine-{secrets.token_hex(4)}"
        self._numbers = count()
        self._loop = asyncio.new_event_loop()
        self._clients: list[Redis] = []
        self.redis = self.connect()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def connect(self) -> Redis:
        """Return a client with connections of its own."""
        client = Redis.from_url(self.url, decode_responses=True)
        self._clients.append(client)
        return client

    def limits(self, *, slots: int, queue: int, places: int = 1, losses: int) -> StoreSettings:
        """Return tight limits, under a prefix of their own."""
        return StoreSettings(
            redis_url=SecretStr(self.url),
            redis_prefix=f"{self._name}-{next(self._numbers)}",
            max_sessions=slots,
            queue_limit=queue,
            user_queue_limit=places,
            ticket_ttl_s=6,
            user_starts_per_minute=0,
            start_lease_s=10,
            claim_deadline_s=3,
            agent_lease_s=8,
            suspicion_s=1,
            slot_grace_s=10,
            redispatch_limit=losses,
            redispatch_window_s=60,
            history_ttl_s=3600,
            idempotency_ttl_s=3600,
        )

    async def clear(self, keys: Keys) -> None:
        """Delete all that is under a prefix."""
        if names := await self.names(keys):
            await self.redis.delete(*names)

    async def names(self, keys: Keys) -> list[str]:
        """Return the names of all keys under a prefix."""
        pattern = f"{keys.store.removesuffix('store')}*"
        return [str(name) async for name in self.redis.scan_iter(pattern, count=1_000)]

    def close(self) -> None:
        for client in self._clients:
            self.run(client.aclose())
        self._loop.close()


class Watched(RuleBasedStateMachine):
    """Makes calls to the store and to the model alike, and looks at Redis after each step."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.history: list[Call] = []
        #: Epochs of agents that beat, by session; and of those that never missed a beat.
        self.beating: dict[SessionId, int] = {}
        self.faithful: set[tuple[SessionId, int]] = set()
        self._claims: dict[tuple[SessionId, int], str] = {}
        #: When a script last saw all slots and the whole line.
        self._seen_ms = 0
        self._checked: dict[SessionId, int] = {}
        #: Redis after the last step, and after this one.
        self._past: Picture | None = None
        self._now: Picture | None = None
        #: False while something is checked, so that a failure is not followed by others.
        self.is_sound = False

    def begin(self, limits: StoreSettings) -> None:
        self.keys = Keys(limits.redis_prefix)
        self.store = SessionStore(self.world.redis, limits, now_ms=START_MS)
        self.model = Model(limits, START_MS)
        self.is_sound = True

    def call(self, asked: Call) -> object:
        """Make a call; compare the answer with the model's, and remember what follows from it."""
        was_sound, self.is_sound = self.is_sound, False
        id_ = asked.args[0] if asked.args else None
        before = self.model.sessions.get(SessionId(str(id_)))
        expected = asked.of_model(self.model)
        answer = self.world.run(asked.of_store(self.store))
        assert answer == expected, f"{asked} answered {answer}, not {expected}"
        self.history.append(asked)
        if isinstance(answer, Loss) and answer.changed and not asked.options.get("is_certain"):
            # I9.
            assert before is not None
            assert (before.id, before.epoch) not in self.faithful
        if asked.method == "claim" and isinstance(answer, Reply):
            self._note_claim(asked, answer)
        if _sees_the_line(asked, answer):
            self._seen_ms = self.model.now_ms
        if self._now is not None:
            self._past, self._now = self._now, None
        self.is_sound = was_sound
        return answer

    def has_claimed(self, id_: SessionId, epoch: int) -> bool:
        """Say whether some agent has ever claimed a session under an epoch."""
        return (id_, epoch) in self._claims

    def _note_claim(self, asked: Call, answer: Reply) -> None:
        """I4. One job for each epoch, and only for the last one."""
        id_, epoch, process = asked.args
        assert isinstance(id_, str)
        assert isinstance(epoch, int)
        assert isinstance(process, AgentProcess)
        session = self.world.run(self.store.get(SessionId(id_)))
        assert session.epoch == epoch == answer.epoch
        assert session.job_id == process.job_id
        claimed = (session.id, epoch)
        assert self._claims.setdefault(claimed, process.job_id) == process.job_id
        if answer.changed:
            self.beating[session.id] = epoch
            self.faithful.add(claimed)

    def epoch_of(self, id_: SessionId, age: int = 0) -> int:
        session = self.model.sessions.get(id_)
        return (1 if session is None else session.epoch) + age

    def set_now(self, now_ms: int) -> None:
        self.store.now_ms = self.model.now_ms = now_ms

    # Invariants.

    @invariant()
    def redis_holds_what_the_model_says(self) -> None:
        self.world.steps += 1
        with self._looking() as now:
            assert now == self.model.picture()

    @invariant()
    def no_more_slots_are_held_than_there_are(self) -> None:
        """I1, without exception."""
        with self._looking() as now:
            since = self.model.as_of_ms - self.model.limits.grace
            assert now.slots_after(since) <= self.model.limits.slots

    @invariant()
    def every_session_is_in_the_index_of_its_state(self) -> None:
        """I2, I3; and who has no agent is on the list of those that are due one (I5: which loop
        acts on it in time is not the store's)."""
        with self._looking() as now:
            for state, ids in now.indexes.items():
                assert ids == {id_ for id_, it in now.sessions.items() if it.status is state}
            holding = {id_ for id_, it in now.sessions.items() if it.status in HOLDING}
            assert set(now.slots) == holding
            assert set(now.tickets) == now.indexes[State.QUEUED]
            assert set(now.dispatches) == {
                id_ for id_ in holding if now.sessions[id_].job_id is None
            }
            assert set(now.suspects) <= holding
            assert set(now.ghosts) <= holding

    @invariant()
    def only_edges_of_the_table_are_taken(self) -> None:
        """I2."""
        with self._looking() as now:
            for id_, session in now.sessions.items():
                seen = self._checked.get(id_, 0)
                if session.revision > seen:
                    self._check_edges(id_, seen)
                    self._checked[id_] = session.revision

    @invariant()
    def what_is_over_is_over(self) -> None:
        """I2, I12."""
        with self._looking() as now:
            if self._past is not None:
                for id_, session in self._past.sessions.items():
                    assert session.status not in TERMINAL or now.sessions[id_] == session
                for counter, number in self._past.pool.items():
                    assert now.pool[counter] >= number

    @invariant()
    def nobody_waits_beside_a_free_slot(self) -> None:
        """I6."""
        with self._looking() as now:
            if self._seen_ms == self.model.now_ms:
                as_of, limits = self.model.as_of_ms, self.model.limits
                is_full = now.slots_after(as_of - limits.grace) >= limits.slots
                assert is_full or all(lapse <= as_of for lapse in now.tickets.values())

    @invariant()
    def who_came_first_is_served_first(self) -> None:
        """I7."""
        with self._looking() as now:
            if self._past is not None:
                served = [
                    place
                    for id_, place in self._past.line.items()
                    if now.sessions[id_].admitted_at_ms is not None
                ]
                assert not served or all(place > max(served) for place in now.line.values())

    # Helpers.

    @contextmanager
    def _looking(self) -> Iterator[Picture]:
        """Look at Redis as it is after this step; a check that fails is the last."""
        self.is_sound = False
        if self._now is None:
            self._now = self.world.run(look(self.world.redis, self.keys, self.model.sessions))
        yield self._now
        self.is_sound = True

    def _check_edges(self, id_: SessionId, seen: int) -> None:
        events = self.world.run(self.store.journal.events(id_, after=max(seen - 1, 0)))
        assert events == self.model.events[id_][max(seen - 1, 0) :]
        assert seen or events[0].status in STARTS
        for before, after in pairwise(events):
            assert after.status in TRANSITIONS[before.status]

    def _check_ends(self, now: Picture) -> None:
        """I8. Every session that was let in is over, and one that failed says why."""
        assert set(now.sessions) == set(self.model.sessions)
        for session in now.sessions.values():
            assert session.status in TERMINAL
            assert session.ended_at_ms is not None
            assert bool(session.error) is (session.status is State.FAILED)

    async def check_what_is_left(self) -> None:
        ids = list(self.model.sessions)
        now = await look(self.world.redis, self.keys, ids)
        assert now == self.model.picture()
        for waiting in (now.slots, now.tickets, now.dispatches, now.suspects, now.ghosts):
            assert waiting == {}
        assert not any(now.indexes[state] for state in {*LIVE, State.ENDING})
        self._check_ends(now)
        # Any verb, once a minute, sees to the TTL of what all share.
        self.store.now_ms = self.model.now_ms + 60_000
        await call("mark_closed", NOBODY).of_store(self.store)
        names = await self.world.names(self.keys)
        ttls = [await self.world.redis.ttl(name) for name in names]
        lasting = {name for name, ttl in zip(names, ttls, strict=True) if ttl < 0}
        assert lasting <= {getattr(self.keys, name) for name in LEFT_TO_OWNERS}


def _sees_the_line(asked: Call, answer: object) -> bool:
    """Say whether a call has looked at every free slot and at who waits."""
    if isinstance(answer, Admission):
        return answer.outcome is Outcome.NEW
    if isinstance(answer, Reply) and asked.method in {"end", "fail", "queue.cancel", "queue.touch"}:
        return answer.changed
    return asked.method == "queue.advance"
