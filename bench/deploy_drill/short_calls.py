"""A user every second, who starts, hears the greeting and leaves; a few ask something before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from bench.deploy_drill.api import connected
from bench.deploy_drill.fleet import Fleet
from bench.deploy_drill.histories import monotonic_of
from devstack.talk.audio import Sound
from devstack.talk.caller import Caller, CallerError
from sessions.errors import SessionError
from sessions.ids import SessionId
from voicefleet_client import VoicefleetError
from voicefleet_client.session import SessionHandle

#: Who has heard nobody by then has no agent.
PATIENCE_S = 20.0
#: Each fourth one asks something before they leave.
_ASKS = 4
_LONGEST_S = 3 * PATIENCE_S


@dataclass(slots=True, kw_only=True)
class ShortCall:
    """What became of one start. Times are those of `time.monotonic`; None: it never came."""

    #: What was being rolled out as it was asked for.
    phase: str
    asked_at: float
    tries: int = 0
    #: Why there is no session; nothing where there is one.
    refusal: str = ""
    #: What was not heard, greeting or answer; nothing where all was.
    trouble: str = ""
    session_id: SessionId | None = None
    greeted_s: float | None = None
    #: The worker of the agent that was heard, and when it took the session.
    worker_id: str | None = None
    claimed_at: float | None = None
    left_at: float | None = None

    @property
    def was_refused_first(self) -> bool:
        """Whether the first try was of no use."""
        return self.tries > 1 or bool(self.refusal)


@dataclass(slots=True)
class ShortCalls:
    """All of them; `phase` is what is being rolled out."""

    fleet: Fleet
    sentences: Sequence[Sound]
    every_s: float
    phase: str = ""
    calls: list[ShortCall] = field(default_factory=list)

    async def keep_coming(self, over: asyncio.Event) -> None:
        """Have a user come so often until it is over; return once all have left."""
        due_at = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            while not over.is_set():
                call = ShortCall(phase=self.phase, asked_at=time.monotonic())
                self.calls.append(call)
                sentence = None if len(self.calls) % _ASKS else self.sentences[0]
                tasks.create_task(self._have(call, sentence), name="short call")
                # One that is late is no reason to come twice.
                due_at = max(due_at + self.every_s, time.monotonic())
                with suppress(TimeoutError):
                    async with asyncio.timeout(due_at - time.monotonic()):
                        await over.wait()

    async def _have(self, call: ShortCall, sentence: Sound | None) -> None:
        async with connected(self.fleet.balancer.url) as (api, tries):
            try:
                session = await api.start()
            except VoicefleetError as error:
                call.refusal = str(error)
                return
            finally:
                call.tries = tries.count
            call.session_id = SessionId(session.id)
            try:
                async with asyncio.timeout(_LONGEST_S):
                    await self._talk(call, session, sentence)
            except (VoicefleetError, CallerError, SessionError, TimeoutError) as error:
                call.trouble = str(error) or type(error).__name__
            call.left_at = time.monotonic()
            # Whoever is gone from the room is missed by the agent, too.
            with suppress(VoicefleetError):
                await session.stop()

    async def _talk(self, call: ShortCall, session: SessionHandle, sentence: Sound | None) -> None:
        """Hear the greeting, and maybe an answer. Raises what can go wrong with a call."""
        token = await session.admitted()
        async with Caller(token.server_url, token.participant_token) as caller:
            await caller.wait_greeting(PATIENCE_S)
            heard_at = caller.hearing.first_loud_at or time.monotonic()
            call.greeted_s = heard_at - call.asked_at
            kept = await self.fleet.store.get(SessionId(session.id))
            call.worker_id = kept.worker_id
            if kept.claimed_at_ms is not None:
                call.claimed_at = monotonic_of(kept.claimed_at_ms)
            if sentence is not None:
                await caller.say(sentence)
                await caller.wait_answer(PATIENCE_S)
