"""What goes on record of a session, and what does not."""

from __future__ import annotations

import asyncio
import time

from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    ConversationItemAddedEvent,
    UserInputTranscribedEvent,
)
from livekit.agents.llm import ChatMessage
from livekit.agents.metrics import LLMModelUsage, STTModelUsage, TTSModelUsage
from redis.asyncio import Redis

from sessions.assignment import Assignment
from sessions.ids import new_session_id
from sessions.records import MAX_PART_BYTES
from sessions.settings import StoreSettings
from sessions.store import SessionStore
from tests.support.figures import NoFigures
from worker.call.figures import usage
from worker.call.measures import Measures
from worker.call.moments import Moment
from worker.call.outcome import Outcome
from worker.call.record import Record
from worker.voice.settings import Stage
from worker.voice.trouble import Kind, Trouble
from worker.voice.wishes import Wishes

WORDS = "my word is xyzzy"


def recorded() -> tuple[Record, AgentSession[Wishes]]:
    """Return a record of a conversation that hears and says nothing by itself."""
    store = SessionStore(Redis(), StoreSettings(_env_file=None))
    assignment = Assignment(session_id=new_session_id(), identity="x", epoch=2)
    measures = Measures(NoFigures(), is_warm=True)
    record = Record(store, assignment, asyncio.Event(), measures)
    session: AgentSession[Wishes] = AgentSession(userdata=Wishes(), vad=None)
    record.watch(session)
    return record, session


def fail(record: Record, provider: str, *, is_recoverable: bool = True) -> None:
    record.note(
        Trouble(
            stage=Stage.THINKING, provider=provider, kind=Kind.BROKEN, recoverable=is_recoverable
        )
    )


async def test_moments_are_noted_the_first_time() -> None:
    record, session = recorded()
    record.mark(Moment.RECEIVED, 12.3456)
    record.mark(Moment.RECEIVED, 99.0)
    before_ms = round(time.time() * 1000)
    for state in ("listening", "speaking", "listening", "speaking"):
        event = AgentStateChangedEvent(old_state="idle", new_state=state)
        session.emit("agent_state_changed", event)
    session.emit("user_input_transcribed", UserInputTranscribedEvent(transcript=" ", is_final=True))
    assert Moment.USER_SPOKE not in record.part().moments_ms
    heard = UserInputTranscribedEvent(transcript=WORDS, is_final=False)
    session.emit("user_input_transcribed", heard)
    moments = record.part().moments_ms
    assert moments[Moment.RECEIVED] == 12346
    assert before_ms <= moments[Moment.GREETED] <= moments[Moment.USER_SPOKE] <= before_ms + 10_000


async def test_an_event_is_a_moment_too() -> None:
    record, _ = recorded()
    claimed, joined = asyncio.Event(), asyncio.Event()
    waiting = asyncio.create_task(
        record.expect({Moment.CLAIMED: claimed, Moment.USER_JOINED: joined})
    )
    claimed.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    joined.set()
    await asyncio.wait_for(waiting, 10)
    assert set(record.part().moments_ms) == {"claimed", "user_joined"}


async def test_turns_have_their_times_and_no_words() -> None:
    record, session = recorded()
    user = ChatMessage(role="user", content=[WORDS])
    user.metrics = {"transcription_delay": 0.2504, "end_of_turn_delay": 0.41}
    agent = ChatMessage(role="assistant", content=[WORDS], interrupted=True)
    agent.metrics = {"llm_node_ttft": 0.3, "tts_node_ttfb": 0.12, "e2e_latency": 1.5}
    for item in (ChatMessage(role="system", content=[WORDS]), user, agent):
        session.emit("conversation_item_added", ConversationItemAddedEvent(item=item))
    heard, said = record.part().turns
    assert (heard.role, heard.transcription_ms, heard.end_of_turn_ms) == ("user", 250, 410)
    assert (heard.first_token_ms, heard.answer_ms) == (None, None)
    assert (said.role, said.is_interrupted) == ("assistant", True)
    assert (said.first_token_ms, said.first_sound_ms, said.answer_ms) == (300, 120, 1500)
    assert "user_spoke" in record.part().moments_ms
    assert "xyzzy" not in record.part().to_text()


async def test_failures_are_counted_by_kind() -> None:
    record, _ = recorded()
    for _ in range(3):
        fail(record, "models.example")
    fail(record, "models.example", is_recoverable=False)
    first, last = record.part().failures
    assert (first.stage, first.label, first.kind) == ("llm", "models.example", "broken")
    assert (first.count, first.is_recoverable) == (3, True)
    assert (last.count, last.is_recoverable) == (1, False)


async def test_however_much_happens_a_part_fits_the_store() -> None:
    """1. A thousand turns. 2. Failures of two hundred kinds, with long names.

    Result: the last turns and the first kinds are told, the rest is counted.
    """
    record, session = recorded()
    stages = ("transcription_delay", "end_of_turn_delay", "llm_node_ttft", "tts_node_ttfb")
    metrics = dict.fromkeys((*stages, "e2e_latency"), 1.234)
    for _ in range(1_000):
        item = ChatMessage(role="assistant", content=[WORDS], interrupted=True)
        item.metrics = metrics  # type: ignore[assignment]
        session.emit("conversation_item_added", ConversationItemAddedEvent(item=item))
    for number in range(200):
        fail(record, str(number) + "✓" * 1_000)
    part = record.part(Outcome.failed("x" * 1_000, "error"))
    assert len(part.to_text().encode()) <= MAX_PART_BYTES
    assert part.turns
    assert len(part.turns) + part.turns_left_out == 1_000
    assert sum(failure.count for failure in part.failures) == 200
    assert part.failures[-1].kind == "other"


def test_usage_is_told_model_by_model() -> None:
    llm, stt, tts = usage(
        [
            LLMModelUsage(provider="p", model="thinks", input_tokens=10, output_tokens=4),
            STTModelUsage(provider="p", model="hears", audio_duration=2.5),
            TTSModelUsage(provider="p", model="speaks", characters_count=99, audio_duration=3.21),
        ]
    )
    assert (llm.stage, llm.model, llm.input_tokens, llm.output_tokens) == ("llm", "thinks", 10, 4)
    assert (stt.stage, stt.audio_ms) == ("stt", 2500)
    assert (tts.stage, tts.characters, tts.audio_ms) == ("tts", 99, 3210)
    assert len(usage([LLMModelUsage(provider="p", model=str(n)) for n in range(100)])) == 12
