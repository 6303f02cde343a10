"""Users without a microphone, who take little: one is there, another one listens for a first sound.

Both are subscribed to the agent's track, which is sent to them (one that nobody is subscribed to
takes more). Nobody unpacks what a guest is sent, nor what a listener is after the first sound.
"""

from __future__ import annotations

import asyncio
import time

import numpy as np
from livekit import rtc

from bench.race.scene import Scene, Visit
from devstack.talk.audio import LOUD, loudness
from devstack.talk.hearing import RATE

#: A user who has no agent by then has none: LiveKit offers a job once.
PATIENCE_S = 15.0
#: The library tries several times.
_CONNECTED_WITHIN_S = 60.0
_LEAVES_WITHIN_S = 10.0


class Guest:
    """A user in a room, until it is closed; joins by another scene's LiveKit where told so."""

    def __init__(self, scene: Scene, visit: Visit, *, joins_by: Scene | None = None) -> None:
        self._url = (joins_by or scene).neighbours.variables["LIVEKIT_URL"]
        self._scene, self._visit = scene, visit
        self._room = rtc.Room()
        self._is_served = asyncio.Event()
        self._arriving: asyncio.Task[float] | None = None
        #: From the opening of the room to the agent's track, for a listener to its first sound;
        #: None: it never came.
        self.start_s: float | None = None

    async def come(self) -> None:
        """Open the room, join it, and wait for the agent."""
        # Not to be cancelled: left alone while it connects, the library ends the process.
        self._arriving = asyncio.create_task(self._arrive(), name="guest arrives")
        await asyncio.wait({self._arriving}, timeout=PATIENCE_S)
        # Asked for, so that it is not told of as if nobody had looked.
        if self._arriving.done() and self._arriving.exception() is None:
            self.start_s = self._arriving.result()

    async def _arrive(self) -> float:
        """Return how long it took. Raises rtc.ConnectError, aiohttp.ClientError or TwirpError."""
        self._room.on("track_subscribed", lambda track, *_: self._take(track))
        began = time.monotonic()
        await self._scene.open(self._visit)
        await self._room.connect(self._url, self._visit.token)
        await self._is_served.wait()
        return time.monotonic() - began

    def _take(self, _: rtc.Track) -> None:
        self._is_served.set()

    @property
    def takes_something(self) -> bool:
        """Whether an agent is there now, as LiveKit tells, in time or late."""
        return self._scene.hook.of(self._visit.room).has_agent

    @property
    def has_agent(self) -> bool:
        """Whether one is there that has published its track in time."""
        return self.start_s is not None and self.takes_something

    @property
    def what_failed(self) -> str:
        """Say why it was not served; nothing where it was."""
        if self.start_s is not None:
            return ""
        if self._arriving is not None and self._arriving.done():
            error = self._arriving.exception()
            if error is not None:
                return f"did not get in ({type(error).__name__})"
        if self._scene.hook.of(self._visit.room).agent_active_at is None:
            return f"no agent within {PATIENCE_S:g} s"
        return f"an agent, but nothing of it within {PATIENCE_S:g} s"

    async def leave(self) -> None:
        """Leave, and close the room. Raises TimeoutError, aiohttp.ClientError or TwirpError."""
        if self._arriving is not None:
            self._is_served.set()
            # Whoever could not join has no start, which is all that is to be told of it.
            await asyncio.wait({self._arriving}, timeout=_CONNECTED_WITHIN_S)
        async with asyncio.timeout(_LEAVES_WITHIN_S):
            await self._room.disconnect()
        await self._scene.close(self._visit)


class Listener(Guest):
    """One who is served once there is a sound that is no silence."""

    def __init__(self, scene: Scene, visit: Visit) -> None:
        super().__init__(scene, visit)
        self._listening: asyncio.Task[None] | None = None

    def _take(self, track: rtc.Track) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO and self._listening is None:
            self._listening = asyncio.create_task(self._listen(track), name="listener listens")

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
        try:
            async for event in stream:
                if loudness(np.frombuffer(event.frame.data, dtype=np.int16)) > LOUD:
                    self._is_served.set()
                    break
        finally:
            await stream.aclose()

    async def leave(self) -> None:
        """Stop listening, leave, and close the room. Raises what a guest does."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening}, timeout=_LEAVES_WITHIN_S)
        await super().leave()
