"""A user in a room: real WebRTC, a microphone that speaks, ears that record.

    async with Caller(server_url, participant_token) as caller:
        await caller.wait_greeting(10)
        await caller.say(question)
        answer = await caller.wait_answer(15)

Used by `make ask` and by the end-to-end tests. All times are those of `time.monotonic`. Every wait
has a deadline and raises a `CallerError` that says what was missing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self

from livekit import rtc
from livekit.rtc.participant import PublishTrackError

from devstack.talk.audio import Sound
from devstack.talk.calls import (
    BUSY_STATES,
    Answer,
    CallEnded,
    CallerError,
    CallLog,
    JoinFailed,
    Moments,
    NoAgent,
    NoAnswer,
    talks_on,
)
from devstack.talk.changes import Changes
from devstack.talk.connection import Connection
from devstack.talk.hearing import RATE, Hearing
from devstack.talk.microphone import Microphone, Said
from devstack.talk.transcript import Line, Transcript

__all__ = [
    "Answer",
    "CallEnded",
    "CallLog",
    "Caller",
    "CallerError",
    "JoinFailed",
    "Moments",
    "NoAgent",
    "NoAnswer",
]

STATE = "lk.agent.state"
QUIET_S = 0.6
"""The agent is done when it says that it listens and has been silent for this long."""
QUIET_WITHOUT_STATE_S = 1.5
"""The same for an agent that does not tell its state."""
_LONGEST_ANSWER_S = 120.0


class Caller:
    """One participant, in one room, once. Use it as an async context manager."""

    def __init__(
        self,
        server_url: str,
        participant_token: str,
        *,
        on_line: Callable[[Line], None] | None = None,
        join_within_s: float = 30.0,
    ) -> None:
        self.log = CallLog()
        self.hearing = Hearing()
        self._url, self._token, self._join_within_s = server_url, participant_token, join_within_s
        self._on_line = on_line
        self._transcript = Transcript(self._tell)
        self._microphone: Microphone | None = None
        self._said: Said | None = None
        self._agent_identity: str | None = None
        self._connection: Connection | None = None
        self._listening: asyncio.Task[None] | None = None
        self._changes = Changes()

    async def __aenter__(self) -> Self:
        try:
            await self._join()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def lines(self) -> list[Line]:
        """The transcript so far."""
        return self._transcript.lines

    @property
    def room(self) -> rtc.Room:
        """The room, for what this class does not do."""
        if self._connection is None:
            raise JoinFailed("not in a room")
        return self._connection.room

    async def say(self, sound: Sound) -> Said:
        """Speak, in real time; silence follows by itself."""
        if self._microphone is None:
            raise JoinFailed("not in a room")
        playing = asyncio.ensure_future(self._microphone.play(sound))
        try:
            await self._until(
                playing.done, sound.seconds + 10, lambda: CallerError("could not speak")
            )
        finally:
            playing.cancel()
        self._said = playing.result()
        return self._said

    async def type(self, text: str) -> None:
        """Send a chat message to the agent."""
        await self.room.local_participant.send_text(text, topic="lk.chat")

    async def wait_agent(self, deadline_s: float) -> None:
        """Wait until the agent's voice can be received."""
        await self._until(
            lambda: self.log.moments.agent_track_at is not None,
            deadline_s,
            lambda: NoAgent(f"no agent could be heard within {deadline_s:g} s"),
        )

    async def wait_greeting(self, deadline_s: float) -> Answer:
        """Wait until the agent has said its first words."""
        joining_at = self.log.moments.joining_at or 0.0
        nothing = Said(began_at=joining_at, ended_at=joining_at)
        return await self._wait_speech(nothing, deadline_s, "the agent said nothing")

    async def wait_answer(self, deadline_s: float) -> Answer:
        """Wait for the answer to what was said last; `deadline_s` is for its first sound."""
        if self._said is None:
            raise NoAnswer("nothing has been said yet")
        return await self._wait_speech(self._said, deadline_s, "no answer")

    async def wait_quiet(self, deadline_s: float, quiet_s: float = QUIET_S) -> None:
        """Wait until the agent has been silent for a while."""
        await self._until(
            lambda: self.hearing.is_quiet_for(quiet_s), deadline_s, lambda: talks_on(deadline_s)
        )

    async def wait_ended(self, deadline_s: float) -> str:
        """Wait until the room is closed; return the reason."""
        with suppress(CallEnded):
            await self._until(
                lambda: False,
                deadline_s,
                lambda: CallerError(f"the room was still open after {deadline_s:g} s"),
            )
        return self.log.ended_because or ""

    async def close(self) -> None:
        """Leave the room. Can be called again."""
        connection, self._connection = self._connection, None
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        if self._microphone is not None:
            await self._microphone.close()
            self._microphone = None
        await self._transcript.close()
        if connection is not None:
            await connection.close()

    async def _join(self) -> None:
        room = rtc.Room()
        self._connection = Connection(room)
        self._watch(room)
        self._transcript.listen(room)
        moments = self.log.moments
        moments.joining_at = time.monotonic()
        try:
            await self._connection.open(self._url, self._token, self._join_within_s)
            moments.joined_at = time.monotonic()
            async with asyncio.timeout(self._join_within_s):
                for participant in room.remote_participants.values():
                    self._on_participant(participant)
                self._microphone = Microphone()
                self._transcript.user_track = await self._microphone.publish(room)
        except (rtc.ConnectError, PublishTrackError, TimeoutError) as error:
            reason = str(error) or f"no connection within {self._join_within_s:g} s"
            raise JoinFailed(f"could not join the room: {reason}") from error

    def _watch(self, room: rtc.Room) -> None:
        room.on("participant_connected", self._on_participant)
        room.on("participant_attributes_changed", self._on_attributes)
        room.on("track_subscribed", self._on_track)
        room.on("disconnected", self._on_disconnected)

    def _on_participant(self, participant: rtc.RemoteParticipant) -> None:
        if participant.kind != rtc.ParticipantKind.PARTICIPANT_KIND_AGENT:
            return
        self._agent_identity = participant.identity
        if self.log.moments.agent_joined_at is None:
            self.log.moments.agent_joined_at = time.monotonic()
        self._on_attributes(dict(participant.attributes), participant)

    def _on_attributes(self, changed: dict[str, str], participant: rtc.Participant) -> None:
        if participant.identity == self._agent_identity and STATE in changed:
            self.log.states.append((time.monotonic(), changed[STATE]))
            self._changes.note()

    def _on_track(
        self,
        track: rtc.Track,
        _: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        if track.kind != rtc.TrackKind.KIND_AUDIO or self._connection is None:
            return
        self._on_participant(participant)
        if participant.identity != self._agent_identity:
            return
        if self.log.moments.agent_track_at is None:
            self.log.moments.agent_track_at = time.monotonic()
        if self._listening is not None:  # a replacement of the first agent
            self._listening.cancel()
        self._listening = asyncio.create_task(self._listen(track), name="caller listens")
        self.log.voices.append((time.monotonic(), participant.identity))
        self._changes.note()

    def _on_disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        self.log.ended_because = rtc.DisconnectReason.Name(reason)
        self._changes.note()

    def _tell(self, line: Line) -> None:
        if self._on_line is not None:
            self._on_line(line)
        self._changes.note()

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
        try:
            async for event in stream:
                self.hearing.add(bytes(event.frame.data))
                self.log.moments.first_audio_at = self.hearing.first_loud_at
                self._changes.note()
        finally:
            await stream.aclose()

    async def _wait_speech(self, said: Said, deadline_s: float, failure: str) -> Answer:
        def begun_at() -> float | None:
            since = said.ended_at
            if (self.hearing.first_loud_at or since) < since:  # it had said something before
                since = max(since, self.log.reacted_at(said.began_at))
            return self.hearing.first_loud_after(since)

        await self._until(begun_at, deadline_s, partial(self._explain, failure, deadline_s))
        began_at = begun_at() or said.ended_at
        await self._until(self._is_done, _LONGEST_ANSWER_S, lambda: talks_on(_LONGEST_ANSWER_S))
        ended_at = self.hearing.last_loud_at or began_at
        lines = [line for line in self.lines if line.speaker == "agent"]
        return Answer(
            latency_s=began_at - said.ended_at,
            began_at=began_at,
            ended_at=ended_at,
            sound=self.hearing.between(began_at, ended_at),
            text=" ".join(line.text.strip() for line in lines if line.updated_at > said.ended_at),
        )

    def _is_done(self) -> bool:
        if self.log.ended_because is not None:
            return True  # those were its last words
        if self.log.agent_state is None:
            return self.hearing.is_quiet_for(QUIET_WITHOUT_STATE_S)
        return self.log.agent_state not in BUSY_STATES and self.hearing.is_quiet_for(QUIET_S)

    def _explain(self, failure: str, deadline_s: float) -> CallerError:
        state = self.log.agent_state or "unknown"
        if self._agent_identity is None:
            return NoAgent(f"{failure} within {deadline_s:g} s: there is no agent in the room")
        return NoAnswer(f"{failure} within {deadline_s:g} s (agent's state: {state})")

    async def _until(
        self, is_met: Callable[[], object], deadline_s: float, failure: Callable[[], CallerError]
    ) -> None:
        def is_met_in_time() -> bool:
            if not (met := is_met()) and self.log.ended_because is not None:
                raise CallEnded(f"the call was ended: {self.log.ended_because}")
            return bool(met)

        if not await self._changes.until(is_met_in_time, deadline_s):
            raise failure()
