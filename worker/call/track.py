"""The agent's audio track, published before the user is there.

RoomIO publishes it only once it has seen the user. But the server tells participants at once of
others that publish, and only every 3 s of others that do not: a user who has not allowed the
microphone yet would hear nothing for up to 3 s. This is one of the files that use private parts
of livekit-agents (see host/pool.py); tests/unit/worker/test_private_parts.py compares
them with the installed version.
"""

from __future__ import annotations

import asyncio
import logging

from livekit import rtc
from livekit.agents import AgentSession
from livekit.agents.voice.room_io._output import _ParticipantAudioOutput

from worker.voice.wishes import Wishes

logger = logging.getLogger(__name__)

_SAMPLE_RATE = 24_000
_NAME = "agent"
#: How long LiveKit may take to tell that a user who is connected hears the agent. It does so at
#: once, but on a busy machine; who really cannot hear it until then misses the first words.
_SUBSCRIPTION_S = 3.0


class EarlyTrack(_ParticipantAudioOutput):
    """The framework's own audio output, started by us.

    What is said waits inside until somebody has subscribed to the track, or is taken to
    have (`break_silence`). `published` is set when the server knows the track.
    """

    def __init__(self, room: rtc.Room) -> None:
        super().__init__(
            room,
            sample_rate=_SAMPLE_RATE,
            num_channels=1,
            track_publish_options=rtc.TrackPublishOptions(
                source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=True
            ),
            track_name=_NAME,
        )
        self.published = asyncio.Event()
        room.on("local_track_published", self._on_published)

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Take a piece of what is said, as soon as it may be let out.

        Whoever is interrupted while they wait for that would cancel it for all who come after
        them: the agent would be silent all through the call.
        """
        if not self._subscribed_fut.done():
            await asyncio.shield(self._subscribed_fut)
        await super().capture_frame(frame)

    async def break_silence(self, connected: asyncio.Event) -> None:
        """Let out what is said to a user who is connected, though nobody tells that they hear it.

        LiveKit tells so once, and its SDK drops what it is told of a track that it does not know
        yet: the agent would be silent all through the call.
        """
        await self.published.wait()
        while not self._subscribed_fut.done():
            await connected.wait()
            await asyncio.wait({self._subscribed_fut}, timeout=_SUBSCRIPTION_S)
            # Whoever has left meanwhile may come back, and hears the first words then.
            if connected.is_set() and not self._subscribed_fut.done():
                extra = {"deadline_s": _SUBSCRIPTION_S}
                logger.warning("nobody tells whether the agent is heard", extra=extra)
                self._subscribed_fut.set_result(None)

    def _on_published(self, *_: object) -> None:
        self.published.set()


def listen_only_to(session: AgentSession[Wishes], identity: str) -> None:
    """Take nobody else for the user, from the first moment in the room on.

    RoomIO would take the first participant it sees, until it is told another one.
    """
    session.room_io._participant_identity = identity  # noqa: SLF001 - see above


def transcribe_from_now_on(session: AgentSession[Wishes], room: rtc.Room) -> None:
    """Send what the agent says as text, too; RoomIO does so only once it has seen the user.

    It would then do it a second time, which would cut the sentence that is being spoken in two.
    """
    output = session.room_io._agent_tr_output  # noqa: SLF001 - see above
    if output is not None:
        output.set_participant(room.local_participant.identity)
        setattr(output, "set_participant", lambda _: None)  # noqa: B010 - mypy guards methods
