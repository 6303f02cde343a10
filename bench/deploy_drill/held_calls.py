"""Users who hold one call through the whole drill: they ask, hear the answer, and ask again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle

from bench.deploy_drill.api import connected
from bench.deploy_drill.fleet import Fleet
from bench.deploy_drill.histories import history
from bench.race.words import ANSWER
from devstack.talk.audio import Sound
from devstack.talk.caller import Caller, CallerError
from devstack.talk.microphone import Said
from sessions.ids import SessionId
from voicefleet_client import VoicefleetError
from voicefleet_client.session import SessionHandle

_GREETED_WITHIN_S = 60.0
#: A question after which nothing is heard for so long has no answer.
PATIENCE_S = 15.0
_PAUSE_S = 2.0


@dataclass(slots=True, kw_only=True)
class HeldCall:
    """What its user heard of one call."""

    asked: int = 0
    #: From the end of a question to the first sound of its answer.
    answered_s: list[float] = field(default_factory=list)
    #: The same where another agent came meanwhile, and said that it is there.
    interrupted_s: list[float] = field(default_factory=list)
    #: How long neither the user nor an agent spoke, from each handover to the new agent's word.
    silences_s: list[float] = field(default_factory=list)
    handed_over: int = 0
    #: Agents that came in place of one that was lost.
    losses: int = 0
    #: Why it is over before its time; nothing where it is not.
    ended_because: str = ""
    #: When each question was on the air.
    said: list[Said] = field(default_factory=list)

    @property
    def unanswered(self) -> int:
        """Questions after which nothing was heard."""
        return self.asked - len(self.answered_s) - len(self.interrupted_s)

    @property
    def is_cut(self) -> bool:
        """Whether its user noticed more than a handover."""
        return bool(self.unanswered or self.losses or self.ended_because)

    @property
    def waits_s(self) -> Sequence[float]:
        """How long each question waited for a sound."""
        return [*self.answered_s, *self.interrupted_s]


class HeldCalls:
    """All of them."""

    def __init__(self, fleet: Fleet, sentences: Sequence[Sound], users: int) -> None:
        self._fleet, self.sentences = fleet, sentences
        self._waiting = asyncio.Semaphore(0)
        self.calls = [HeldCall() for _ in range(users)]

    async def hold(self, over: asyncio.Event) -> None:
        """Hold them until it is over, and judge each. Raises what fails before the greeting."""
        async with asyncio.TaskGroup() as tasks:
            for call in self.calls:
                tasks.create_task(self._hold(call, over), name="held call")

    async def until_all_talk(self) -> None:
        """Wait until each has been greeted."""
        for _ in self.calls:
            await self._waiting.acquire()

    async def _hold(self, call: HeldCall, over: asyncio.Event) -> None:
        async with connected(self._fleet.balancer.url) as (api, _):
            session = await api.start()
            try:
                await self._talk(call, session, over)
            finally:
                # A session that is over needs no stop.
                with suppress(VoicefleetError):
                    await session.stop()

    async def _talk(self, call: HeldCall, session: SessionHandle, over: asyncio.Event) -> None:
        token = await session.admitted()
        async with Caller(token.server_url, token.participant_token) as caller:
            await caller.wait_greeting(_GREETED_WITHIN_S)
            self._waiting.release()
            for sentence in cycle(self.sentences):
                if over.is_set() or caller.log.ended_because is not None:
                    break
                await _ask(call, caller, sentence)
                await asyncio.sleep(_PAUSE_S)
            await self._judge(call, caller, SessionId(session.id))

    async def _judge(self, call: HeldCall, caller: Caller, session_id: SessionId) -> None:
        """Compare what was heard with what the store knows. Raises SessionError."""
        told = history(await self._fleet.store.journal.events(session_id))
        call.ended_because = caller.log.ended_because or ("it is over" if told.is_over else "")
        call.losses, call.handed_over = told.losses, len(told.handed_over_at)
        call.silences_s += _silences_s(caller, call.said, told.handed_over_at)


async def _ask(call: HeldCall, caller: Caller, sentence: Sound) -> None:
    """Ask something, and note what was heard."""
    call.asked += 1
    try:
        call.said.append(await caller.say(sentence))
        answer = await caller.wait_answer(PATIENCE_S)
    except CallerError:
        # Counted: it was asked, and has no answer.
        return
    heard = call.answered_s if ANSWER in answer.text else call.interrupted_s
    heard.append(answer.latency_s)


def _silences_s(caller: Caller, said: Sequence[Said], moments: Iterable[float]) -> Iterator[float]:
    """Yield how long nobody spoke after each of these moments, until another agent did."""
    for moment in moments:
        came_at = next((at for at, _ in caller.log.voices if at > moment), None)
        heard_at = None if came_at is None else caller.hearing.first_loud_after(came_at)
        # Whom nobody spoke to any more waited to the end.
        until = heard_at or time.monotonic()
        # An agent that comes while its user speaks does not interrupt.
        words = (one.ended_at for one in said if one.began_at < until and one.ended_at < until)
        yield until - max(moment, max(words, default=moment))
