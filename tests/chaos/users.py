"""Users of the stories: they start sessions over the API, join over real WebRTC, and keep talking.

async with User(front) as user:
    await user.arrive()
    heard = await user.heard_after(moment, 15)
"""

from __future__ import annotations

import asyncio
import secrets
import time

from devstack.talk.caller import Caller
from sessions.ids import SessionId
from tests.chaos.fates import Heard
from tests.chaos.front import START, Front
from tests.chaos.talkers import Talker
from voicefleet_client import SessionView, VoicefleetError
from voicefleet_client.models import Token
from voicefleet_client.session import SessionHandle
from voicefleet_client.transport import Transport

#: How long a user waits for a place, for the room, for the first words.
ARRIVED_WITHIN_S = 60.0
_ASK_EVERY_S = 0.5
#: How long a session may be ending, by the invariants.
_ENDS_WITHIN_S = 30.0


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
                "POST", START, body=body, headers={"Idempotency-Key": key}
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

    async def settled(self) -> SessionView:
        """Return the session; one that is ending, once it has ended and says how."""
        ends_at = time.monotonic() + _ENDS_WITHIN_S
        while True:
            view = await self.look()
            if view.status != "ending" or time.monotonic() > ends_at:
                return view
            await asyncio.sleep(_ASK_EVERY_S)

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


class User(Talker, Visitor):
    """Has a session, is in its room, and talks."""

    def __init__(self, front: Front, *, user_id: str | None = None) -> None:
        Talker.__init__(self)
        Visitor.__init__(self, front, user_id=user_id)

    async def arrive(self) -> None:
        """Start, join, be greeted, and begin to talk."""
        await self.start()
        await self.join()
        await self.caller.wait_greeting(ARRIVED_WITHIN_S)
        self.talk()

    async def join(self) -> None:
        """Join the room. Raises CallerError."""
        token = await self.token()
        await self.enter(Caller(token.server_url, token.participant_token))

    async def _nobody(self) -> Heard:
        closed = self.caller.log.ended_because
        try:
            view = await self.settled()
        except VoicefleetError as error:
            return Heard(after_s=None, room_closed=closed, trouble=str(error))
        return Heard(after_s=None, status=view.status, message=view.message, room_closed=closed)
