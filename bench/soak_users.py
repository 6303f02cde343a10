"""The users of the soak: they call, talk all the time, hang up, and call again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import httpx2

from bench.soak_fleet import ANSWER, Fleet
from devstack.talk.caller import CallEnded, Caller, CallerError
from sessions.errors import StoreUnavailable
from sessions.ids import SessionId
from sessions.model import Session
from sessions.states import OVER, State

T = TypeVar("T")

_GREETED_WITHIN_S = 60.0
#: A question that is not answered by then counts as not answered.
PATIENCE_S = 30.0
OVER_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.1
#: The client library gives up by itself before; it must not be interrupted.
_JOIN_WITHIN_S = 240.0
_PAUSE_S = (1.0, 3.0)
#: They come one after the other, and hang up and call again at any time.
_COMES_WITHIN_S = 20.0
_FIRST_CALL_S = (30.0, 300.0)
_CALL_S = (180.0, 300.0)
_SHORTEST_CALL_S = 10.0
#: After a start that was refused.
_RETRY_S = 2.0


@dataclass(slots=True)
class Tally:
    """What all users have seen, and the store of their sessions."""

    began_at: float = field(default_factory=time.monotonic)
    in_calls: int = 0
    sessions: int = 0
    call_s: float = 0.0
    greeted_s: list[float] = field(default_factory=list)
    asked: int = 0
    #: From the end of a question to the first sound of its answer.
    answered_s: list[float] = field(default_factory=list)
    #: How long there was no sound after the others.
    silent_s: list[float] = field(default_factory=list)
    #: Epochs beyond the first: so many agents were sent in place of others.
    redispatches: int = 0
    failed: int = 0
    thrown_out: int = 0
    not_greeted: int = 0
    refused: int = 0
    not_over: int = 0
    incidents: list[str] = field(default_factory=list)

    def note(self, session_id: str, what: str) -> None:
        """Remember what should not have happened."""
        after_s = time.monotonic() - self.began_at
        self.incidents.append(f"after {after_s:.0f} s, {session_id}: {what}")

    @property
    def longest_s(self) -> float | None:
        """The longest time without a sound of the agent after a question."""
        return max([*self.answered_s, *self.silent_s], default=None)


class User:
    """One of them."""

    def __init__(self, fleet: Fleet, tally: Tally, dice: random.Random) -> None:
        self._fleet, self._tally, self._dice = fleet, tally, dice

    async def live(self, ends_at: float) -> None:
        """Hold one call after the other. The first is shorter, so that not all end at once."""
        await asyncio.sleep(self._dice.uniform(0, _COMES_WITHIN_S))
        length_s = self._dice.uniform(*_FIRST_CALL_S)
        while (left_s := ends_at - time.monotonic()) > _SHORTEST_CALL_S:
            await self._call(min(length_s, left_s))
            length_s = self._dice.uniform(*_CALL_S)

    async def _call(self, length_s: float) -> None:
        began_at = time.monotonic()
        try:
            answer = await self._fleet.http.post("/api/session/start", json={})
            answer.raise_for_status()
        except httpx2.HTTPError as error:
            self._tally.refused += 1
            self._tally.note("no session", f"start refused: {error!r}")
            await asyncio.sleep(_RETRY_S)
            return
        started = answer.json()
        self._tally.sessions += 1
        self._tally.in_calls += 1
        try:
            await self._join(started, began_at, began_at + length_s)
        finally:
            self._tally.in_calls -= 1
        self._tally.call_s += time.monotonic() - began_at
        await self._hang_up(started)

    async def _join(self, started: Mapping[str, str], began_at: float, ends_at: float) -> None:
        """Be in the room until it is time to leave, or for as long as it goes well."""
        tally, session_id = self._tally, started["sessionId"]
        url, token = self._fleet.livekit_url, started["participantToken"]
        caller = Caller(url, token, join_within_s=_JOIN_WITHIN_S)
        try:
            async with caller:
                await caller.wait_greeting(_GREETED_WITHIN_S)
                first_at = caller.hearing.first_loud_at or time.monotonic()
                tally.greeted_s.append(first_at - began_at)
                while time.monotonic() < ends_at and caller.log.ended_because is None:
                    await self._ask(caller, session_id)
                    await asyncio.sleep(self._dice.uniform(*_PAUSE_S))
                ended_because = caller.log.ended_because
        except CallEnded:
            ended_because = caller.log.ended_because
        except CallerError as error:
            ended_because = None
            tally.not_greeted += 1
            tally.note(session_id, f"not greeted: {error}")
        if ended_because is not None:
            tally.thrown_out += 1
            tally.note(session_id, f"thrown out: {ended_because}")

    async def _ask(self, caller: Caller, session_id: str) -> None:
        """Ask something, and wait for the answer. Raises CallEnded, and nothing else of a call."""
        tally = self._tally
        tally.asked += 1
        asked_at = time.monotonic()
        try:
            asked_at = (await caller.say(self._dice.choice(self._fleet.sentences))).ended_at
            answer = await caller.wait_answer(PATIENCE_S)
        except CallerError as error:
            sound_at = caller.hearing.first_loud_after(asked_at) or time.monotonic()
            tally.silent_s.append(sound_at - asked_at)
            if isinstance(error, CallEnded):
                raise
            tally.note(session_id, f"not answered: {error}")
            return
        if ANSWER in answer.text:
            tally.answered_s.append(answer.latency_s)
        else:
            tally.silent_s.append(answer.latency_s)
            tally.note(session_id, f"answered otherwise: {answer.text!r}")

    async def _hang_up(self, started: Mapping[str, str]) -> None:
        """End the session, and judge it by what the store knows of it."""
        session_id = SessionId(started["sessionId"])
        body = {"sessionId": session_id, "sessionSecret": started["sessionSecret"]}
        tally = self._tally
        try:
            (await self._fleet.http.post("/api/session/stop", json=body)).raise_for_status()
        except httpx2.HTTPError as error:
            tally.note(session_id, f"stop refused: {error!r}")
        session = await self._until_over(session_id)
        tally.not_over += session.status not in OVER
        tally.failed += session.status is State.FAILED
        tally.redispatches += session.epoch - 1
        if session.status is not State.ENDED or session.epoch > 1:
            events = await _patiently(partial(self._fleet.store.journal.events, session_id))
            path = ", ".join(
                f"{one.at_ms - session.created_at_ms} ms {one.status} {one.epoch}"
                + (f" ({one.detail})" if one.detail else "")
                for one in events
            )
            tally.note(session_id, f"{session.status}, {session.error or 'no error'}: {path}")

    async def _until_over(self, session_id: SessionId) -> Session:
        """Wait until the room is closed, for a while."""
        ends_at = time.monotonic() + OVER_WITHIN_S
        while True:
            session = await _patiently(partial(self._fleet.store.get, session_id))
            if session.status in OVER or time.monotonic() > ends_at:
                return session
            await asyncio.sleep(_LOOK_EVERY_S)


async def _patiently(read: Callable[[], Awaitable[T]]) -> T:
    """Ask the store, and again where it does not answer: this process is as starved as all others.

    Raises StoreUnavailable in the end.
    """
    ends_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await read()
        except StoreUnavailable:
            if time.monotonic() > ends_at:
                raise
        await asyncio.sleep(_LOOK_EVERY_S)
