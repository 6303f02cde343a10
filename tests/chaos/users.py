"""Users of the stories: they start sessions over the API, join over real WebRTC, and keep talking.

async with User(front) as user:
    await user.arrive()
    heard = await user.heard_after(moment, 15)
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from types import TracebackType
from typing import Self

from livekit import rtc
from livekit.rtc.data_stream import StreamError

from devstack.talk.caller import Caller, CallerError
from sessions.ids import SessionId
from tests.chaos.fates import Heard
from tests.chaos.front import Front
from tests.chaos.voice import sentence
from voicefleet_client import SessionView, VoicefleetError
from voicefleet_client.models import Token
from voicefleet_client.session import SessionHandle
from voicefleet_client.transport import Transport

#: How long a user waits for a place, for the room, for the first words.
ARRIVED_WITHIN_S = 60.0
_PAUSE_S = 2.0
_LOOK_EVERY_S = 0.02
_ASK_EVERY_S = 0.5


class Visitor:
    """Has a session, and knows no more of it than the API tells."""

    def __init__(self, front: Front, *, user_id: str | None = None) -> None:
        self.front = front
        self._user_id = user_id
        self._handle: SessionHandle | None = None
        #: When the API was asked for it, and when it answered.
        self.asked_at = self.started_at = 0.0

    @property
    def id(self) -> SessionId:
        """The session's."""
        return SessionId(self._session.id)

    @property
    def has_session(self) -> bool:
        """Whether the API has let it in."""
        return self._handle is not None

    async def start(self, deadline_s: float = ARRIVED_WITHIN_S) -> None:
        """Start a session; asked again and again with one key, until it is answered for good.

        Raises VoicefleetError.
        """
        key = secrets.token_hex(16)
        body = {"queue": True} | ({} if self._user_id is None else {"userId": self._user_id})

        async def ask(transport: Transport) -> SessionHandle:
            answer = await transport.call(
                "POST", "/api/session/start", body=body, headers={"Idempotency-Key": key}
            )
            return SessionHandle.from_json(transport, answer)

        self.asked_at = time.monotonic()
        self._handle = await self.front.ask(ask, deadline_s)
        self.started_at = time.monotonic()

    async def look(self) -> SessionView:
        """Return the session as the API tells it to its owner. Raises VoicefleetError."""

        async def ask(transport: Transport) -> SessionView:
            return await self._at(transport).view()

        return await self.front.ask(ask)

    async def token(self, deadline_s: float = ARRIVED_WITHIN_S) -> Token:
        """Return what is needed to join; wait in line for it if that is how it is."""
        ends_at = time.monotonic() + deadline_s
        while (token := self._session.token) is None:
            view = await self.look()
            assert not view.is_over, view.message
            assert time.monotonic() < ends_at, f"still {view.status}: {view.message}"
            self._session.token = view.token
            await asyncio.sleep(0 if view.token else _ASK_EVERY_S)
        return token

    async def stop(self) -> None:
        """End the session, as the user's page does. Raises VoicefleetError."""

        async def ask(transport: Transport) -> SessionView:
            return await self._at(transport).stop()

        if self._handle is not None:
            await self.front.ask(ask)

    @property
    def _session(self) -> SessionHandle:
        assert self._handle is not None, "no session was started"
        return self._handle

    def _at(self, transport: Transport) -> SessionHandle:
        """Return the session as another server knows it."""
        return SessionHandle(transport=transport, id=self.id, secret=self._session.secret)


class User(Visitor):
    """Is in the room, and says something every few seconds, by voice and by typing in turns."""

    def __init__(self, front: Front, *, user_id: str | None = None) -> None:
        super().__init__(front, user_id=user_id)
        self._caller: Caller | None = None
        self._talking: asyncio.Task[None] | None = None
        #: What is typed from now on, instead of the usual, once.
        self.next_words: str | None = None
        #: What could not be said, since the room was not to be reached.
        self.troubles: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.leave()

    @property
    def caller(self) -> Caller:
        """The user in the room."""
        assert self._caller is not None, "not in the room"
        return self._caller

    @property
    def voice(self) -> str | None:
        """Identity of the agent that is listened to."""
        voices = self._caller.log.voices if self._caller else []
        return voices[-1][1] if voices else None

    async def arrive(self) -> None:
        """Start, join, be greeted, and begin to talk."""
        await self.start()
        await self.join()
        await self.caller.wait_greeting(ARRIVED_WITHIN_S)
        self.talk()

    async def join(self) -> None:
        """Join the room. Raises CallerError."""
        token = await self.token()
        caller = Caller(token.server_url, token.participant_token)
        await caller.__aenter__()
        self._caller = caller

    def talk(self) -> None:
        """Say something every few seconds from now on."""
        self._talking = asyncio.create_task(self._talk(), name="user talks")

    def agents(self) -> list[str]:
        """Return the agents in the room, as this user sees it."""
        people = self.caller.room.remote_participants.values()
        agent = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        return [one.identity for one in people if one.kind == agent]

    async def heard_after(
        self, moment: float, deadline_s: float, *, other_than: str | None = None
    ) -> Heard:
        """Return after how many seconds an agent was heard, or why none was.

        With `other_than` the last words of that agent do not count, which were on their way.
        """
        while time.monotonic() < moment + deadline_s and self.caller.log.ended_because is None:
            since = moment if other_than is None else self._since(moment, other_than)
            heard_at = None if since is None else self.caller.hearing.first_loud_after(since)
            if heard_at is not None:
                return Heard(after_s=heard_at - moment)
            await asyncio.sleep(_LOOK_EVERY_S)
        return await self._nobody()

    async def leave(self) -> None:
        """Stop talking, and leave the room; the session is somebody else's to end."""
        if self._talking is not None:
            self._talking.cancel()
            await asyncio.gather(self._talking, return_exceptions=True)
            self._talking = None
        if self._caller is not None:
            await self._caller.close()

    def _since(self, moment: float, other_than: str) -> float | None:
        """Return since when somebody else is listened to."""
        voices = self.caller.log.voices
        return next((at for at, who in voices if at > moment and who != other_than), None)

    async def _nobody(self) -> Heard:
        closed = self.caller.log.ended_because
        try:
            view = await self.look()
        except VoicefleetError as error:
            return Heard(after_s=None, room_closed=closed, trouble=str(error))
        return Heard(after_s=None, status=view.status, message=view.message, room_closed=closed)

    async def _talk(self) -> None:
        for turn in itertools.count():
            if self.caller.log.ended_because is not None:
                return
            words, self.next_words = self.next_words, None
            try:
                if words is None and turn % 2:
                    await self.caller.say(sentence())
                else:
                    await self.caller.type(words or "Are you still there?")
            except (CallerError, StreamError) as error:
                self.troubles.append(repr(error))
            await asyncio.sleep(_PAUSE_S)
