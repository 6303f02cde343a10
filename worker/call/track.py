"""The agent's audio track, published before the user is there.

RoomIO publishes it only once it has seen the user. But the server tells participants at once of
others that publish, and only every 3 s of others that do not: a user who has not allowed the
microphone yet would hear nothing for up to 3 s. This is one of the files that use private parts
of livekit-agents (see host/pool.py); tests/unit/worker/test_private_parts.py compares
them with the installed version.
"""

from __future__ import annotations

import asyncio

from livekit import rtc
from livekit.agents import AgentSession
from livekit.agents.voice.room_io._output import _ParticipantAudioOutput

from worker.voice.wishes import Wishes

_SAMPLE_RATE = 24_000
_NAME = "agent"


class EarlyTrack(_ParticipantAudioOutput):
    """The framework's own audio output, started by us.

    What is said waits inside until somebody has subscribed to the track. `published` is set when
    the server knows the track.
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
