"""What is said in one session: the pipeline at work in one room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from livekit import rtc
from livekit.agents import CloseEvent
from livekit.agents.voice.room_io import AudioInputOptions, RoomOptions

from worker.call.outcome import Outcome, after_close
from worker.call.track import EarlyTrack, transcribe_from_now_on
from worker.call.typed import TypedInput
from worker.job.prewarm import Warm
from worker.voice.agent import Assistant
from worker.voice.greeting import load_greeting
from worker.voice.pipeline import build_session

_BUSY = frozenset({"thinking", "speaking"})


class Conversation:
    """The agent's hearing and speaking. `on_over` is told why it closed, where that is known.

    `user` tells the identity of whose typing counts, as soon as it is known.
    """

    def __init__(
        self,
        warm: Warm,
        room: rtc.Room,
        on_over: Callable[[Outcome], None],
        user: Callable[[], str],
    ) -> None:
        self._warm = warm
        self._room = room
        self._on_over = on_over
        self.track = EarlyTrack(room)
        self.session = build_session(warm.pipeline, warm.settings.provider_timeout_s)
        self._typed = TypedInput(room, user, self._read)

    async def start(self) -> None:
        """Start to listen; the room need not be joined yet."""
        self._typed.listen()
        self.session.output.audio = self.track
        self.session.on("close", self._on_close)
        await self.session.start(
            Assistant(self._warm.settings.agent_instructions),
            room=self._room,
            room_options=RoomOptions(
                # Browsers and phones level the voice themselves; doing it here again costs 0.1 s
                # at the start, and time all through the call.
                audio_input=AudioInputOptions(auto_gain_control=False),
                audio_output=False,  # there already
                text_input=False,  # within bounds: call/typed.py
            ),
            # Would let whoever is in the room read the instructions and the whole history.
            session_host=False,
            record=False,
        )

    async def enter(self, identity: str) -> None:
        """Publish the agent's track in the joined room, and listen to this participant only.

        Without an identity, to the first who comes.
        """
        if identity:
            # As an option of the session this would fail before the room is joined (1.8.9).
            self.session.room_io.set_participant(identity)
        transcribe_from_now_on(self.session, self._room)
        await self.track.start()

    async def greet(self) -> None:
        """Say the first words; the clip of a process that became warm before it was made, too."""
        settings = self._warm.settings
        if not settings.agent_greeting:
            return
        clip = self._warm.greeting or await asyncio.to_thread(load_greeting, settings)
        if clip is None:
            self.session.say(settings.agent_greeting)
        else:
            self.session.say(settings.agent_greeting, audio=clip.frames())

    async def quiet(self) -> None:
        """Wait until nobody speaks, and no answer is being made."""
        changed = asyncio.Event()

        def note(_: object) -> None:
            changed.set()

        session = self.session
        session.on("agent_state_changed", note)
        session.on("user_state_changed", note)
        try:
            while session.agent_state in _BUSY or session.user_state == "speaking":
                await changed.wait()
                changed.clear()
        finally:
            session.off("agent_state_changed", note)
            session.off("user_state_changed", note)

    async def hush(self) -> None:
        """Stop to listen and to speak, for good; the agent stays in the room."""
        self._typed.close()
        await self.session.aclose()

    async def aclose(self) -> None:
        """Let go of the track; the framework has closed the session before."""
        self._typed.close()
        await self.track.aclose()

    async def _read(self, text: str) -> None:
        await self.session.interrupt()
        self.session.generate_reply(user_input=text)

    def _on_close(self, event: CloseEvent) -> None:
        outcome = after_close(event, has_hung_up=self.session.userdata.hang_up)
        if outcome is not None:
            self._on_over(outcome)
