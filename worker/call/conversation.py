"""What is said in one session: the pipeline at work in one room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from livekit import rtc
from livekit.agents import NOT_GIVEN, CloseEvent
from livekit.agents.voice import SpeechHandle
from livekit.agents.voice.room_io import AudioInputOptions, RoomOptions

from worker.call.outcome import Outcome, after_close
from worker.call.preconnect import PreConnectAudio
from worker.call.track import EarlyTrack, listen_only_to, transcribe_from_now_on
from worker.call.typed import TypedInput
from worker.call.warm import Warm
from worker.personas.cast import Role
from worker.voice.agent import BUSY_STATES, TO_THE_EAR_S, Assistant
from worker.voice.clips import Clip
from worker.voice.listening import LISTENING
from worker.voice.settings import Mode
from worker.voice.voice import Voice

logger = logging.getLogger(__name__)

#: How long a sentence may take that the end of a call waits for.
_SENTENCE_S = 15.0
#: How long the agent may take to fall silent for it.
_SILENCE_S = 2.0
#: How long for what the user has said already, which the framework gives up after 3 s.
_WAY_S = 0.5


def _room_options(mode: Mode) -> RoomOptions:
    listening = LISTENING[mode]
    return RoomOptions(
        audio_input=AudioInputOptions(
            sample_rate=listening.sample_rate,
            frame_size_ms=listening.frame_ms,
            # Browsers and phones level the voice themselves; doing it here again costs 0.1 s at the
            # start, and time all through the call.
            auto_gain_control=False,
        ),
        audio_output=False,  # there already: track.py
        text_input=False,  # within bounds: typed.py
        # A page that is loaded anew leaves, and comes back: presence.py decides.
        close_on_disconnect=False,
    )


class Conversation:
    """The agent's hearing and speaking, in one role.

    `on_over` is told why it closed, where that is known. `user` tells the identity of whose typing
    counts, as soon as it is known. Whoever wants to know what happens in it listens to `session`.
    """

    def __init__(
        self,
        warm: Warm,
        room: rtc.Room,
        role: Role,
        on_over: Callable[[Outcome], None],
        user: Callable[[], str],
    ) -> None:
        self._warm = warm
        self._room = room
        self._role = role
        self._on_over = on_over
        self.track = EarlyTrack(room)
        self.voice = Voice(
            warm.pipeline,
            role.settings,
            self._on_close,
            away_after_s=role.settings.user_away_after_s or None,
        )
        self.session = self.voice.session
        self._typed = TypedInput(room, user, self._read)
        self._preconnect = PreConnectAudio(room, user, warm.pipeline.workshop.vad, self._make_way)
        #: The user has spoken first.
        self._is_spoken_to = False

    async def start(self, identity: str) -> None:
        """Start to listen, to this participant only; the room need not be joined yet.

        Without an identity, to the first who comes.
        """
        self._typed.listen()
        self.session.output.audio = self.track
        self.session.on("close", self._on_close)
        self.voice.watch()
        tools = self._warm.toolbox.pick(self._role.persona.tools)
        with self._preconnect.guarding():
            await self.session.start(
                Assistant(self._role.instructions, tools),
                room=self._room,
                room_options=_room_options(self._role.settings.voice_mode),
                # Would let whoever is in the room read the instructions and the whole history.
                session_host=False,
                record=False,
            )
        if identity:
            listen_only_to(self.session, identity)

    async def enter(self, identity: str) -> None:
        """Publish the agent's track in the joined room, and link the user, if it is known who."""
        if identity:
            # As an option of the session this would fail before the room is joined (1.8.9).
            self.session.room_io.set_participant(identity)
        transcribe_from_now_on(self.session, self._room)
        await self.track.start()

    async def greet(self, user_came: asyncio.Event) -> None:
        """Say the first words, where this persona speaks first, and the user has not."""
        await self._say_first(self._role.greeting, user_came)

    async def resume(self, user_came: asyncio.Event) -> None:
        """Say that an agent is there again, to a user who was talking with another one."""
        await self._say_first(self._role.settings.resume_greeting, user_came)

    def say(
        self,
        words: str,
        *,
        can_be_interrupted: bool = True,
        clip: Clip | None = None,
        when: asyncio.Event | None = None,
    ) -> SpeechHandle | None:
        """Say something of our own; None where there is nothing to say, or nobody to say it.

        A clip sounds `when` that is set.
        """
        if not words:
            return None
        audio = NOT_GIVEN if clip is None else clip.frames(when)
        try:
            return self.session.say(words, audio=audio, allow_interruptions=can_be_interrupted)
        except RuntimeError:  # the conversation has closed
            return None

    async def say_to_the_end(self, words: str, *, can_be_interrupted: bool = True) -> None:
        """Say something and wait until it has been said, or could not be, for a while at most."""
        speech = self.say(words, can_be_interrupted=can_be_interrupted)
        if speech is None:
            return
        try:
            async with asyncio.timeout(_SENTENCE_S):
                await asyncio.shield(speech.wait_for_playout())
        except TimeoutError:
            logger.warning("could not be said in time", extra={"deadline_s": _SENTENCE_S})

    async def take_leave(self, words: str) -> None:
        """Stop whatever is being said, and say the last words."""
        try:
            silence = self.session.interrupt(force=True)
        except RuntimeError:  # the conversation has closed
            return
        await asyncio.wait({silence}, timeout=_SILENCE_S)
        await self.say_to_the_end(words, can_be_interrupted=False)
        await asyncio.sleep(TO_THE_EAR_S)

    async def quiet(self) -> None:
        """Wait until nobody speaks, and no answer is being made."""
        changed = asyncio.Event()

        def note(_: object) -> None:
            changed.set()

        session = self.session
        session.on("agent_state_changed", note)
        session.on("user_state_changed", note)
        try:
            while session.agent_state in BUSY_STATES or session.user_state == "speaking":
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
        """Let go of room and track; the framework has closed the session before."""
        self._typed.close()
        await self.voice.aclose()
        await self.track.aclose()

    async def _say_first(self, words: str, user_came: asyncio.Event) -> None:
        clip = await self._warm.clip(self._role, words) if words else None
        if clip is None:
            # A provider is asked for nobody.
            await user_came.wait()
        # A clip is on its way before, and waits for the user where only its sound is missing.
        # While the agent speaks its first second the framework hears nothing.
        if not self._is_spoken_to:
            self.say(words, clip=clip, when=user_came)

    async def _make_way(self) -> None:
        """Fall silent: the user has said something before we were there, and is heard now."""
        self._is_spoken_to = True
        with suppress(RuntimeError):
            await asyncio.wait({self.session.interrupt(force=True)}, timeout=_WAY_S)

    async def _read(self, text: str) -> None:
        """Answer what the user typed; what must not be interrupted is heard first."""
        self.session.reset_away_timer()
        try:
            with suppress(RuntimeError):
                await asyncio.wait({self.session.interrupt()}, timeout=_SILENCE_S)
            self.session.generate_reply(user_input=text)
        except RuntimeError:
            logger.info("message came when the conversation was over")

    def _on_close(self, event: CloseEvent) -> None:
        outcome = after_close(event, has_hung_up=self.session.userdata.hang_up)
        if outcome is not None:
            self._on_over(outcome)
