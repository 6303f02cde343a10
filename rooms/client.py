"""Rooms on the LiveKit server: open one with its agent, close one, ask who is in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
from livekit import api
from livekit.protocol.models import ParticipantInfo

from rooms.breaker import Breaker, BreakerState
from rooms.errors import KeyRefused, LiveKitRefused, LiveKitSpared, LiveKitUnavailable
from rooms.refusals import NotThere, translated_errors
from rooms.server_api import ServerApi
from rooms.settings import RoomSettings

#: A user and, for a moment, the same user reconnecting; agents are not counted.
_MAX_USERS = 2
#: A ping that finds somebody else trying out the server comes back after this.
_TRY_INTERVAL_S = 0.1

#: Hears of each call of the server: its name, how long it took, in s, whether it was answered.
OnCall = Callable[[str, float, bool], None]

_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An agent that was sent for."""

    metadata: str
    #: Whether a worker has taken its job.
    is_taken: bool
    #: Whether it has our AGENT_NAME; another fleet on the same LiveKit has another one.
    is_ours: bool


def agent_identity(job_id: str) -> str:
    """Return how livekit-agents names the participant of an agent: after its job."""
    return f"agent-{job_id}"


class Rooms:
    """The LiveKit server API, as far as we need it.

    Every method may raise LiveKitUnavailable or LiveKitRefused; none takes longer than
    ``livekit_timeout_s``, and none takes any time while ``breaker`` is open. An open one is tried
    out by a ping of our own, so that no user has to be the one who waits for a dead server.
    """

    def __init__(
        self,
        server: ServerApi,
        settings: RoomSettings,
        on_change: Callable[[BreakerState], None] | None = None,
        on_call: OnCall | None = None,
    ) -> None:
        self._server = server
        self._on_call = on_call
        self._settings = settings
        self._on_change = on_change
        self._pinging: asyncio.Task[None] | None = None
        self._trying: asyncio.Task[None] | None = None
        self._is_trusted = True
        self.breaker = Breaker(
            "livekit",
            failures=settings.livekit_breaker_failures,
            open_s=settings.livekit_breaker_open_s,
            failing=(LiveKitUnavailable,),
            refusal=LiveKitSpared,
            on_change=self._note_change,
        )

    @property
    def can_be_asked(self) -> bool:
        """Whether the server answered of late, and took our key; True before the first call."""
        return self._is_trusted and self.breaker.state is not BreakerState.OPEN

    async def open(self, room: str, agent_metadata: str) -> None:
        """Create a room and send for its agent, which may come before any user does."""
        request = api.CreateRoomRequest(
            name=room,
            empty_timeout=self._settings.room_empty_timeout_s,
            departure_timeout=self._settings.room_departure_timeout_s,
            max_participants=_MAX_USERS,
            agents=[
                api.RoomAgentDispatch(agent_name=self._settings.agent_name, metadata=agent_metadata)
            ],
        )
        await self._call(self._server.all_rooms.create_room, request)

    async def send_agent(self, room: str, agent_metadata: str) -> None:
        """Send for an agent, into a room that is there already.

        LiveKit counts nothing: two calls bring two agents. Where joining creates rooms
        (``room.auto_create``) this does so too, without our limits; ask `agents` or
        `set_metadata` first when the room may be gone.
        """
        request = api.CreateAgentDispatchRequest(
            room=room, agent_name=self._settings.agent_name, metadata=agent_metadata
        )
        await self._call(self._server.inside.agent_dispatch.create_dispatch, request)

    async def has_job(self, room: str) -> bool:
        """Say whether a worker has taken a job for the room, be its agent there yet or not.

        Raises as `sent`.
        """
        return any(one.is_taken for one in await self.sent(room))

    async def sent(self, room: str) -> list[Sent]:
        """Return the agents that were sent for into a room, the first ones first.

        LiveKit notes a job when a worker takes it, and never how it went. For a room that is not
        there the question takes 3 s, and raises LiveKitUnavailable.
        """
        dispatches = await self._call(self._server.inside.agent_dispatch.list_dispatch, room)
        dispatches = sorted(dispatches, key=lambda one: one.state.created_at)
        name = self._settings.agent_name
        return [
            Sent(
                metadata=one.metadata,
                is_taken=bool(one.state.jobs),
                is_ours=one.agent_name == name,
            )
            for one in dispatches
        ]

    async def set_metadata(self, room: str, metadata: str) -> bool:
        """Replace the metadata that everybody in a room sees; False when it is not there."""
        request = api.UpdateRoomMetadataRequest(room=room, metadata=metadata)
        try:
            await self._call(self._server.inside.room.update_room_metadata, request)
        except NotThere:
            return False
        return True

    async def agents(self, room: str) -> list[str]:
        """Return the identities of the agents in a room; none when it is not there."""
        request = api.ListParticipantsRequest(room=room)
        try:
            answer = await self._call(self._server.inside.room.list_participants, request)
        except NotThere:
            return []
        return [
            participant.identity
            for participant in answer.participants
            if participant.kind == ParticipantInfo.Kind.AGENT
        ]

    async def remove_agent(self, room: str, job_id: str) -> bool:
        """Put the agent of a job out of a room; False when it is not there (any more)."""
        return await self.remove(room, agent_identity(job_id))

    async def remove(self, room: str, identity: str) -> bool:
        """Put somebody out of a room; False when they are not there (any more)."""
        request = api.RoomParticipantIdentity(room=room, identity=identity)
        try:
            await self._call(self._server.inside.room.remove_participant, request)
        except NotThere:
            return False
        return True

    async def metadata(self, rooms: Sequence[str]) -> dict[str, str]:
        """Return the metadata of those of some rooms that are there, in one call."""
        if not rooms:
            return {}
        request = api.ListRoomsRequest(names=rooms)
        answer = await self._call(self._server.all_rooms.list_rooms, request)
        return {room.name: room.metadata for room in answer.rooms}

    async def opened(self) -> dict[str, int]:
        """Return all rooms there are, those of others, too, and when each was opened.

        In ms since 1970, by the clock of LiveKit.
        """
        answer = await self._call(self._server.all_rooms.list_rooms, api.ListRoomsRequest())
        return {room.name: room.creation_time_ms for room in answer.rooms}

    async def close(self, room: str) -> bool:
        """Close a room and put everybody out; False when it was not there."""
        try:
            await self._call(self._server.all_rooms.delete_room, api.DeleteRoomRequest(room=room))
        except NotThere:
            return False
        return True

    async def ping(self) -> None:
        """Raise unless the server answers and knows our key.

        All who ask at the same time share one call. It goes on when they lose patience, so that
        its outcome counts: health probes wait less long than a dead server takes.
        """
        if self._pinging is None or self._pinging.done():
            self._pinging = asyncio.create_task(self._ask())
            self._pinging.add_done_callback(_note_outcome)
        pinging = self._pinging
        await asyncio.wait({pinging})
        pinging.result()

    async def aclose(self) -> None:
        """Give up what goes on in the background."""
        for task in (self._trying, self._pinging):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})

    def _note_change(self, state: BreakerState) -> None:
        if state is BreakerState.OPEN and (self._trying is None or self._trying.done()):
            self._trying = asyncio.create_task(self._try_until_closed())
        if self._on_change:
            self._on_change(state)

    async def _try_until_closed(self) -> None:
        while self.breaker.state is not BreakerState.CLOSED:
            await asyncio.sleep(max(_TRY_INTERVAL_S, self.breaker.retry_after_s))
            with suppress(LiveKitUnavailable, LiveKitRefused):
                await self.ping()

    async def _ask(self) -> None:
        await self._call(
            self._server.all_rooms.list_rooms, api.ListRoomsRequest(names=["no-such-room"])
        )

    async def _call(
        self, method: Callable[[_Request], Awaitable[_Answer]], request: _Request
    ) -> _Answer:
        # livekit-api overrides the session's own time-out with none at all.
        try:
            with self.breaker.guard(), self._noted(method.__name__), translated_errors():
                async with asyncio.timeout(self._settings.livekit_timeout_s):
                    answer = await method(request)
        except KeyRefused:
            self._server.forget_token()
            self._is_trusted = False
            raise
        except LiveKitRefused:
            self._is_trusted = True
            raise
        self._is_trusted = True
        return answer

    @contextmanager
    def _noted(self, name: str) -> Iterator[None]:
        """Tell of a call that is made. Who is not there was answered, too."""
        began, is_answered = time.perf_counter(), True
        try:
            yield
        except NotThere:
            raise
        except (LiveKitUnavailable, LiveKitRefused):
            is_answered = False
            raise
        finally:
            if self._on_call is not None:
                self._on_call(name, time.perf_counter() - began, is_answered)


@asynccontextmanager
async def open_rooms(
    settings: RoomSettings,
    on_change: Callable[[BreakerState], None] | None = None,
    on_call: OnCall | None = None,
) -> AsyncIterator[Rooms]:
    """Yield a client of the LiveKit server API; close its connections at the end.

    ``on_change`` hears of each change of its circuit breaker, ``on_call`` of each call.
    """
    async with aiohttp.ClientSession() as http:
        rooms = Rooms(ServerApi(settings, http), settings, on_change, on_call)
        try:
            yield rooms
        finally:
            await rooms.aclose()


def _note_outcome(task: asyncio.Task[None]) -> None:
    """Keep asyncio from reporting an exception that nobody waited for."""
    if not task.cancelled():
        task.exception()
