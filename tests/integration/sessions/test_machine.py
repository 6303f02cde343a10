"""Any sequence of calls: a real store on a real Redis does what a model in plain Python says.

Hypothesis makes up what users, agents and supervisors do, and how time passes. Every answer is
compared with the model's, and so is all that Redis holds after each step; the invariants then look
at Redis alone. CI runs the same examples each time. To look for more, with other ones each time:

    STORE_MACHINE=long .venv/bin/pytest tests/integration/sessions/test_machine.py --timeout=3600

`STORE_MACHINE=quick` runs fewer, and stops at the first failure as it is (tests/mutations.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    initialize,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from devstack.settings import process_environment
from sessions.ids import SessionId, UserId, WorkerId
from sessions.model import AgentProcess, IdempotencyKey, Newcomer, UserPolicy
from sessions.states import TERMINAL, State
from tests.integration.sessions.invariants import NOBODY, Watched, World
from tests.integration.sessions.observe import Call, Refusal, call
from tests.support.servers import RedisServer

#: Agents beat at least so often, and calls come at least so often: less than an outage.
BEAT_MS = 2_500
DRAINED_WITHIN = 400
PICKS = st.integers(0, 999)
#: How far off an epoch is; most are right.
AGES = st.sampled_from([0, 0, 0, -1, 1])
DELAYS = st.sampled_from([0, 4])
#: By a guess, because nobody took the job, by who saw it, by who makes way.
HOW_LOST: list[dict[str, bool]] = [
    {"is_certain": False},
    {"is_certain": False, "is_planned": True},
    {"is_certain": True},
    {"is_certain": True, "is_planned": True},
]
#: The first is no outage yet.
GAPS_MS = st.sampled_from([2_600, 2_700, 7_000, 9_000, 30_000])
#: A lease and the grace after it fit into the longest.
ELAPSED_MS = st.sampled_from([100, 500, 900, 1_000, 2_500, 5_000, 8_000, 10_000, 15_000, 20_000])
#: Who comes without asking for anything in particular.
ARRIVALS = (None, "ada", None, "bob")


@dataclass(frozen=True)
class Profile:
    """How many examples are tried, and how many steps they shall have in all."""

    examples: int
    length: int
    at_least: int
    is_random: bool = False
    phases: tuple[Phase, ...] = (Phase.generate, Phase.shrink)

    def settings(self) -> settings:
        return settings(
            max_examples=self.examples,
            stateful_step_count=self.length,
            derandomize=not self.is_random,
            database=None,
            deadline=None,
            phases=self.phases,
            print_blob=True,
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )


PROFILES = {
    "ci": Profile(examples=150, length=40, at_least=5_000),
    "quick": Profile(examples=80, length=40, at_least=2_500, phases=(Phase.generate,)),
    "long": Profile(examples=5_000, length=60, at_least=100_000, is_random=True),
}


@pytest.fixture
def world(redis_server: RedisServer) -> Iterator[World]:
    world = World(redis_server.url)
    yield world
    world.close()


@pytest.mark.timeout(3_600)
def test_any_sequence_of_calls(world: World) -> None:
    profile = PROFILES[process_environment().get("STORE_MACHINE", "ci")]

    class Machine(StoreMachine):
        """Runs in this test's world."""

    Machine.world = world
    run_state_machine_as_test(Machine, settings=profile.settings())
    assert world.steps >= profile.at_least


def agent(job_id: str) -> AgentProcess:
    """Return the process that a job runs in; the job says on which worker, and whether warm."""
    number = sum(job_id.encode())
    return AgentProcess(
        worker_id=WorkerId(f"worker-{number % 2}"),
        pid=number,
        job_id=job_id,
        prewarmed=number % 3 > 0,
    )


def newcomer(id_: SessionId, user: str | None) -> Newcomer:
    return Newcomer(
        id=id_,
        user_id=None if user is None else UserId(user),
        identity=f"user-{id_[-4:]}",
        secret_hash=id_,
    )


@dataclass(frozen=True)
class Request:
    """How somebody asks for a session."""

    user: str | None
    policy: UserPolicy
    may_wait: bool
    key: str | None
    fingerprint: str

    @property
    def idempotency(self) -> IdempotencyKey | None:
        if self.key is None:
            return None
        return IdempotencyKey(key=self.key, scope="somebody", fingerprint=self.fingerprint)


REQUESTS = st.builds(
    Request,
    user=st.sampled_from([None, "ada", "bob", "cleo"]),
    policy=st.sampled_from(UserPolicy),
    may_wait=st.booleans(),
    key=st.sampled_from([None, None, "key-1", "key-2"]),
    fingerprint=st.sampled_from(["one", "one", "two"]),
)


class StoreMachine(Watched):
    """What may happen to a store, step by step."""

    ids: Bundle[SessionId] = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count()

    @initialize(
        slots=st.integers(2, 4),
        queue=st.integers(2, 4),
        places=st.integers(1, 2),
        losses=st.integers(0, 2),
        crowd=st.integers(0, 5),
        target=ids,
    )
    def open(self, crowd: int, **limits: int) -> MultipleResults[SessionId]:
        self.begin(self.world.limits(**limits))
        return multiple(*(self._arrive() for _ in range(crowd)))

    # Users.

    @rule(target=ids, asked=REQUESTS)
    def admit(self, asked: Request) -> SessionId:
        return self._admit(self._new_id(), asked)

    @rule(id_=ids, asked=REQUESTS)
    def admit_again(self, id_: SessionId, asked: Request) -> None:
        self._admit(id_, asked)

    @precondition(lambda self: self.model.slots)
    @rule(target=ids, asked=REQUESTS, user=st.sampled_from(["ada", "bob"]))
    def start_another(self, asked: Request, user: str) -> SessionId:
        """Somebody who may have a session already wants one, and would wait."""
        return self._admit(self._new_id(), replace(asked, user=user, key=None, may_wait=True))

    @rule(target=ids, crowd=st.integers(1, 3))
    def arrive(self, crowd: int) -> MultipleResults[SessionId]:
        return multiple(*(self._arrive() for _ in range(crowd)))

    @precondition(lambda self: self.model.slots)
    @rule(target=ids, pick=PICKS, asked=REQUESTS, policy=st.sampled_from(UserPolicy))
    def return_late(
        self, pick: int, asked: Request, policy: UserPolicy
    ) -> MultipleResults[SessionId]:
        """An agent hangs until the slot has healed, others come, and then the user does again."""
        late = self.model.sessions[self._holder(pick)]
        self._hang(late.id)
        self.advance(self.model.limits.start_lease + self.model.limits.grace)
        others = [self._arrive() for _ in range(self.model.free_slots())]
        again = replace(asked, user=late.user_id, policy=policy, key=None)
        return multiple(*others, self._admit(self._new_id(), again))

    @precondition(lambda self: self.model.waiting)
    @rule(pick=PICKS)
    def ask_again(self, pick: int) -> None:
        """Somebody who waits asks for the place in line."""
        self.call(call("queue.touch", self.model.waiting[pick % len(self.model.waiting)]))

    @rule(id_=ids, verb=st.sampled_from(["queue.touch", "queue.cancel"]))
    def wait_or_leave(self, id_: SessionId, verb: str) -> None:
        self.call(call(verb, id_))

    @rule(id_=ids)
    def join(self, id_: SessionId) -> None:
        self.call(call("mark_joined", id_))

    @rule(
        target=ids,
        user=st.sampled_from(["ada", "bob"]),
        jobs=st.lists(st.sampled_from(["AJ_1", "AJ_2"]), min_size=1, max_size=2),
    )
    def visit(self, user: str, jobs: list[str]) -> MultipleResults[SessionId]:
        """I10. A user comes, maybe twice; the worker of the last session is the preferred one."""
        visits = [self._new_id() for _ in jobs]
        for id_, job in zip(visits, jobs, strict=True):
            self.call(call("admit", newcomer(id_, user)))
            if id_ in self.model.slots:
                self.call(call("claim", id_, 1, agent(job)))
                self.call(call("end", id_))
        self.call(call("fleet.preferred_worker", UserId(user)))
        return multiple(*visits)

    # Agents.

    @precondition(lambda self: self.model.slots)
    @rule(pick=PICKS, steps=st.integers(1, 4))
    def serve(self, pick: int, steps: int) -> None:
        """An agent is sent and comes, or the service dies between two steps of that."""
        id_ = self._holder(pick)
        epoch = self.epoch_of(id_)
        todo = [
            call("dispatch", id_),
            call("claim", id_, epoch, agent(f"AJ_{epoch}")),
            call("mark_ready", id_, epoch),
            call("mark_joined", id_),
        ]
        for step in todo[:steps]:
            self.call(step)

    @precondition(lambda self: self.model.slots)
    @rule(pick=PICKS, age=AGES, job=st.sampled_from(["AJ_1", "AJ_2", "AJ_other"]))
    def claim(self, pick: int, age: int, job: str) -> None:
        """An agent comes, maybe too late, maybe where another is already."""
        id_ = self._holder(pick)
        self.call(call("claim", id_, self.epoch_of(id_, age), agent(job)))

    @rule(id_=ids)
    def claim_whatever_it_is(self, id_: SessionId) -> None:
        self.call(call("claim", id_, self.epoch_of(id_), agent("AJ_1")))

    @rule(id_=ids, age=AGES, verb=st.sampled_from(["renew", "mark_ready"]))
    def write(self, id_: SessionId, age: int, verb: str) -> None:
        self.call(call(verb, id_, self.epoch_of(id_, age)))

    @rule(id_=ids, age=AGES)
    def join_by_agent(self, id_: SessionId, age: int) -> None:
        self.call(call("mark_joined", id_, epoch=self.epoch_of(id_, age)))

    @precondition(lambda self: self.model.slots)
    @rule(pick=PICKS)
    def come_back(self, pick: int) -> None:
        """An agent that was late beats once more."""
        id_ = self._holder(pick)
        self.call(call("renew", id_, self.epoch_of(id_)))

    @precondition(lambda self: self.model.slots)
    @rule(pick=PICKS, is_back=st.booleans())
    def pause_or_resume(self, pick: int, is_back: bool) -> None:
        """An agent hangs, or one that hung goes on."""
        id_ = self._holder(pick)
        epoch = self.epoch_of(id_)
        if not is_back:
            self._hang(id_)
        elif self.has_claimed(id_, epoch):
            self.beating[id_] = epoch

    @precondition(lambda self: self.beating)
    @rule(
        pick=PICKS,
        looks=st.integers(0, 2),
        apart_ms=st.sampled_from([500, 1_000]),
        is_late=st.booleans(),
    )
    def hang_and_be_written_off(self, pick: int, looks: int, apart_ms: int, is_late: bool) -> None:
        """An agent hangs until its lease has lapsed; somebody writes it off, maybe too soon.

        Or it was only late, and hangs again: nobody has looked at that yet.
        """
        id_ = sorted(self.beating)[pick % len(self.beating)]
        epoch = self.beating[id_]
        self._hang(id_)
        self.advance(self.model.limits.lease)
        for _ in range(looks):
            self.call(call("suspects"))
            self.advance(apart_ms)
        if is_late:
            self.call(call("renew", id_, epoch))
            self.advance(self.model.limits.lease)
        self.call(call("lose", id_, "silent"))

    @rule(worker=st.sampled_from(["worker-0", "worker-1"]))
    def kill_worker(self, worker: str) -> None:
        for id_, session in self.model.sessions.items():
            if session.worker_id == worker:
                self._hang(id_)

    # The end.

    @rule(id_=ids, age=st.none() | AGES, steps=st.integers(1, 2), is_failure=st.booleans())
    def finish(self, id_: SessionId, age: int | None, steps: int, is_failure: bool) -> None:
        """A session ends and its room is closed, or the service dies in between."""
        epoch = None if age is None else self.epoch_of(id_, age)
        end = call("fail", id_, "why", epoch=epoch) if is_failure else call("end", id_, epoch=epoch)
        for step in [end, call("mark_closed", id_)][:steps]:
            self.call(step)

    @rule(id_=ids)
    def fail_if_lapsed(self, id_: SessionId) -> None:
        self.call(call("fail", id_, "silent", only_if_lapsed=True))

    @rule(id_=ids, age=st.none() | AGES)
    def close(self, id_: SessionId, age: int | None) -> None:
        epoch = None if age is None else self.epoch_of(id_, age)
        self.call(call("mark_closed", id_, epoch=epoch))

    # Supervisors.

    @rule()
    def advance_queue(self) -> None:
        self.call(call("queue.advance"))

    @rule()
    def suspect(self) -> None:
        """One pass of the loop that replaces silent agents."""
        for id_ in self._ids(call("suspects")):
            self.call(call("lose", id_, "silent", epoch=self.epoch_of(id_)))

    @rule(id_=ids, age=st.none() | AGES, how=st.sampled_from(HOW_LOST), delay_s=DELAYS)
    def lose(self, id_: SessionId, age: int | None, how: dict[str, bool], delay_s: float) -> None:
        epoch = None if age is None else self.epoch_of(id_, age)
        self.call(call("lose", id_, "gone", epoch=epoch, delay_s=delay_s, **how))

    @rule()
    def send_agents(self) -> None:
        """One pass of the loop that sends agents; one that did not come is lost first."""
        for id_ in self._ids(call("queue.due")):
            if self.model.sessions[id_].dispatched_at_ms is not None:
                self.call(call("lose", id_, "did not come"))
            else:
                self.call(call("dispatch", id_))

    # Anything.

    @rule(pick=PICKS)
    def repeat(self, pick: int) -> None:
        """An earlier call arrives once more, or late."""
        if self.history:
            self.call(self.history[pick % len(self.history)])

    @rule(elapsed_ms=ELAPSED_MS)
    def advance(self, elapsed_ms: int) -> None:
        while elapsed_ms > 0:
            step_ms = min(elapsed_ms, BEAT_MS)
            elapsed_ms -= step_ms
            self.set_now(self.model.now_ms + step_ms)
            self.call(call("mark_closed", NOBODY))
            self._beat()

    @rule(gaps_ms=st.lists(GAPS_MS, min_size=1, max_size=2))
    def lose_redis(self, gaps_ms: list[int]) -> None:
        """Nobody reaches Redis for a while; it may be gone again after one call."""
        self._beat()
        for gap_ms in gaps_ms:
            self.set_now(self.model.now_ms + gap_ms)
            self.call(call("mark_closed", NOBODY))

    def teardown(self) -> None:
        """I11. Everybody is gone: the loops clear everything away."""
        if self.is_sound:
            self.is_sound = False
            self._drain()
            self.world.run(self.check_what_is_left())
        self.world.run(self.world.clear(self.keys))

    # Helpers.

    def _ids(self, asked: Call) -> list[SessionId]:
        answer = self.call(asked)
        assert isinstance(answer, list)
        return [SessionId(text) for text in answer]

    def _holder(self, pick: int) -> SessionId:
        """Return one of those that hold a slot."""
        return sorted(self.model.slots)[pick % len(self.model.slots)]

    def _hang(self, id_: SessionId) -> None:
        """The agent of a session, if there is one, beats no more."""
        if epoch := self.beating.pop(id_, None):
            self.faithful.discard((id_, epoch))

    def _new_id(self) -> SessionId:
        return SessionId(f"{next(self._numbers):032x}")

    def _arrive(self) -> SessionId:
        id_ = self._new_id()
        user = ARRIVALS[int(id_, 16) % len(ARRIVALS)]
        self.call(call("admit", newcomer(id_, user), may_wait=True))
        return id_

    def _admit(self, id_: SessionId, asked: Request) -> SessionId:
        how = {"policy": asked.policy, "may_wait": asked.may_wait, "idempotency": asked.idempotency}
        self.call(call("admit", newcomer(id_, asked.user), **how))
        return id_

    def _beat(self) -> None:
        for id_, epoch in list(self.beating.items()):
            if isinstance(self.call(call("renew", id_, epoch)), Refusal):
                del self.beating[id_]

    def _drain(self) -> None:
        self.beating.clear()
        self.faithful.clear()
        for _ in range(DRAINED_WITHIN):
            if all(session.status in TERMINAL for session in self.model.sessions.values()):
                break
            self.set_now(self.model.now_ms + BEAT_MS)
            self.suspect()
            self.send_agents()
            self.advance_queue()
            for id_, session in self.model.sessions.items():
                if session.status is State.ENDING:
                    self.call(call("mark_closed", id_))
