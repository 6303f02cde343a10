"""One call in which a model fails: what the user gets to hear, and whether it goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum

from livekit import api

from bench.neighbours import Neighbours
from bench.troubles import Fault, TroubledProvider
from devstack.talk.caller import Caller, CallerError
from devstack.talk.calls import BUSY_STATES
from devstack.talk.transcript import Line
from sessions.assignment import Assignment
from sessions.ids import new_identity, new_session_id, room_name
from sessions.model import Newcomer
from tests.support.provider import Stage, Trouble

APOLOGY = "I'm sorry, I have a technical problem right now. Please try again in a moment."
_QUESTION, _ANSWER = "When does it open?", "The harbour opens at seven in the morning."
_SECOND_QUESTION = "And when does it close?"
_SECOND_ANSWER = "It closes again at nine in the evening."
#: As long as anybody would wait, and longer.
PATIENCE_S = 60.0
#: An agent that says it listens again, and has been silent for so long, has given up.
GIVEN_UP_S = 6.0
_GREETED_WITHIN_S = 30.0
_QUIET_WITHIN_S = 20.0
#: LiveKit offers a job once. Who is not taken then calls again: it is not what is measured here.
_ATTEMPTS = 3
_LOOK_EVERY_S = 0.02


class Heard(StrEnum):
    """What came of a question."""

    ANSWER = "answer"
    APOLOGY = "apology"
    PIECE = "a piece"  # not to the end, whatever can be read
    TEXT = "text only"  # it can be read, and there is no sound
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one call showed. `after_s`: from the question to the first word of what was heard."""

    heard: Heard
    after_s: float | None
    goes_on: bool
    answered_again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Caseworker:
    """Holds calls with one worker. `has_sessions`: it is one of ours.

    The first of the providers is told to fail; the others only say the same, if they are asked.
    """

    neighbours: Neighbours
    providers: Sequence[TroubledProvider]
    agent_name: str
    has_sessions: bool

    async def call(self, stage: Stage, fault: Fault, questions: int) -> Outcome:
        """Be greeted, ask while a stage fails, and once more when it works. Raises CallerError.

        What came of the first question is told, and how the call stands after all of them.
        """
        can_be_whole = fault.trouble is not Trouble.CUT or stage is not Stage.SPEECH
        async with self._greeted() as (caller, room):
            await self.providers[0].fail(stage, fault)
            heard, after_s = await self._ask(caller, _QUESTION, _ANSWER, can_be_whole=can_be_whole)
            for _ in range(questions - 1):
                if caller.log.ended_because is None:
                    await self._ask(caller, _QUESTION, _ANSWER, can_be_whole=can_be_whole)
            goes_on = caller.log.ended_because is None and await self._has_agent(room)
            await self.providers[0].work()
            again = Heard.NOTHING
            if goes_on:
                again, _ = await self._ask(caller, _SECOND_QUESTION, _SECOND_ANSWER)
        return Outcome(
            heard=heard, after_s=after_s, goes_on=goes_on, answered_again=again is Heard.ANSWER
        )

    @asynccontextmanager
    async def _greeted(self) -> AsyncIterator[tuple[Caller, str]]:
        """Call until an agent has come and said its first words; yield the user, and the room."""
        for attempt in range(1, _ATTEMPTS + 1):
            async with AsyncExitStack() as stack:
                room, token = await self._open()
                stack.push_async_callback(self._close, room)
                caller = Caller(self.neighbours.variables["LIVEKIT_URL"], token)
                await stack.enter_async_context(caller)
                try:
                    await caller.wait_greeting(_GREETED_WITHIN_S)
                except CallerError:
                    if attempt == _ATTEMPTS:
                        raise
                    continue
                yield caller, room
                return

    async def _open(self) -> tuple[str, str]:
        """Open a room with an agent on its way; return it with a user's token."""
        session_id, identity = new_session_id(), new_identity()
        room, note = room_name(session_id), ""
        if self.has_sessions:
            newcomer = Newcomer(id=session_id, user_id=None, identity=identity)
            await self.neighbours.store.admit(newcomer)
            note = Assignment(session_id=session_id, identity=identity).to_metadata()
        dispatch = api.RoomAgentDispatch(agent_name=self.agent_name, metadata=note)
        request = api.CreateRoomRequest(name=room, agents=[dispatch])
        await self.neighbours.livekit.room.create_room(request)
        variables = self.neighbours.variables
        token = api.AccessToken(variables["LIVEKIT_API_KEY"], variables["LIVEKIT_API_SECRET"])
        grants = api.VideoGrants(room_join=True, room=room)
        return room, token.with_identity(identity).with_grants(grants).to_jwt()

    async def _close(self, room: str) -> None:
        """Leave nothing behind: no trouble, no room."""
        await self.providers[0].work()
        with suppress(api.TwirpError):  # it may be gone already
            await self.neighbours.livekit.room.delete_room(api.DeleteRoomRequest(room=room))

    async def _ask(
        self, caller: Caller, question: str, answer: str, *, can_be_whole: bool = True
    ) -> tuple[Heard, float | None]:
        """Type a question; return what came of it, and how many seconds later.

        The words of an answer can be read to the end also where its sound breaks off.
        """
        for provider in self.providers:
            provider.will_answer(answer)
        asked_at = time.monotonic()
        await caller.type(question)
        while time.monotonic() - asked_at < PATIENCE_S:
            heard, began_at = _judge(caller, asked_at, answer if can_be_whole else "")
            if heard in {Heard.ANSWER, Heard.APOLOGY} or _is_over(caller, asked_at):
                break
            await asyncio.sleep(_LOOK_EVERY_S)
        with suppress(CallerError):
            await caller.wait_quiet(_QUIET_WITHIN_S)
        return heard, None if began_at is None else began_at - asked_at

    async def _has_agent(self, room: str) -> bool:
        request = api.ListParticipantsRequest(room=room)
        found = await self.neighbours.livekit.room.list_participants(request)
        return any(one.kind == api.ParticipantInfo.Kind.AGENT for one in found.participants)


def _judge(caller: Caller, asked_at: float, answer: str) -> tuple[Heard, float | None]:
    """Say what has come by now, and when it began. No answer (empty) can be had in full."""
    lines = [one for one in caller.lines if one.speaker == "agent" and one.began_at >= asked_at]
    # Before it reacts, the rest of its greeting may still be on its way.
    sound_at = caller.hearing.first_loud_after(caller.log.reacted_at(asked_at))
    if sound_at is None:
        return (Heard.TEXT, lines[0].began_at) if lines else (Heard.NOTHING, None)
    for heard, words in ((Heard.ANSWER, answer), (Heard.APOLOGY, APOLOGY)):
        if words and (line := _line_with(words, lines)) is not None:
            return heard, max(line.began_at, sound_at)
    return Heard.PIECE, sound_at


def _line_with(words: str, lines: list[Line]) -> Line | None:
    """Return the line that says all of this; it may begin with a piece that broke off."""
    return next((line for line in lines if words in " ".join(line.text.split())), None)


def _is_over(caller: Caller, asked_at: float) -> bool:
    """Say whether nothing more will come: the call was ended, or the agent has given up."""
    if caller.log.ended_because is not None:
        return True
    since = [(at, state) for at, state in caller.log.states if at >= asked_at]
    if not any(state in BUSY_STATES for _, state in since) or since[-1][1] in BUSY_STATES:
        return False
    last_at = max([since[-1][0], *(line.updated_at for line in caller.lines)])
    is_silent = caller.hearing.is_quiet_for(GIVEN_UP_S)
    return is_silent and time.monotonic() - last_at >= GIVEN_UP_S
