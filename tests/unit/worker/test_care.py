"""When a model fails: what is counted, and when a call is given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from livekit.agents import (
    AgentSession,
    APIError,
    APIStatusError,
    CloseEvent,
    ConversationItemAddedEvent,
    ErrorEvent,
    inference,
)
from livekit.agents.llm import ChatMessage, LLMError, RealtimeModelError
from livekit.agents.metrics import LLMMetrics
from livekit.agents.voice import SpeechHandle
from redis.asyncio import Redis

from sessions.keys import Keys
from tests.support.wait import eventually
from worker.voice.care import Care
from worker.voice.clients import Connections
from worker.voice.outages import Outages
from worker.voice.parts import Mind, Workshop
from worker.voice.settings import ProviderSettings
from worker.voice.wishes import Wishes

SOON_S = 5.0
DETECTOR = inference.VAD(model="silero")
ANSWERED = LLMMetrics(
    label="llm",
    request_id="1",
    timestamp=1.0,
    duration=1.0,
    ttft=0.5,
    cancelled=False,
    completion_tokens=1,
    prompt_tokens=1,
    prompt_cached_tokens=0,
    total_tokens=2,
    tokens_per_second=1.0,
)


@dataclass
class Cared:
    """A conversation that is cared for, and why it was given up."""

    session: AgentSession[Wishes]
    care: Care
    llm: Mind
    endings: list[CloseEvent] = field(default_factory=list)

    async def has_ended(self) -> bool:
        return bool(self.endings)

    def fail(self) -> None:
        """Let the language model lose an answer."""
        cause = APIStatusError("broken", status_code=500)
        error = LLMError(timestamp=1.0, label="llm", error=cause, recoverable=False)
        self.session.emit("error", ErrorEvent(error=error, source=None))

    def fail_realtime(self) -> None:
        """Let one model that does all lose an answer."""
        cause = APIError("response failed")
        error = RealtimeModelError(timestamp=1.0, label="all", error=cause, recoverable=True)
        self.session.emit("error", ErrorEvent(error=error, source=None))

    def apologise(self) -> SpeechHandle:
        """Have an apology said, for as long as the test likes."""
        saying = SpeechHandle.create()
        self.care._saying = saying
        return saying

    def answer(self) -> None:
        """Let the language model answer, to whatever."""
        self.llm.emit("metrics_collected", ANSWERED)


@pytest.fixture
async def cared() -> AsyncIterator[Cared]:
    """One failed turn is enough."""
    settings = ProviderSettings(_env_file=None, failed_turns_limit=1)
    outages = Outages(Redis(), Keys("test"), settings.provider_outage_s)
    workshop = Workshop(
        settings=settings,
        connections=Connections(),
        outages=outages,
        vad=DETECTOR,
    )
    session: AgentSession[Wishes] = AgentSession(userdata=Wishes(), vad=None)
    parts = workshop.build()
    endings: list[CloseEvent] = []
    care = Care(session, endings.append, settings=settings, outages=outages, members=parts.members)
    care.start()
    yield Cared(session, care, parts.llm, endings)
    await care.aclose()
    await parts.aclose()


async def test_a_call_is_given_up_once_the_apology_was_heard(cared: Cared) -> None:
    saying = cared.apologise()
    cared.fail()
    await asyncio.sleep(0)
    assert not cared.endings
    saying._mark_done()
    await eventually(cared.has_ended, SOON_S)
    assert len(cared.endings) == 1


async def test_what_works_again_during_the_apology_ends_nothing(
    cared: Cared, caplog: pytest.LogCaptureFixture
) -> None:
    saying = cared.apologise()
    cared.fail()
    # The apology is waited for by now.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    cared.answer()
    saying._mark_done()
    await eventually(lambda: _is_idle(cared.care), SOON_S)
    assert not cared.endings
    assert "care failed" not in caplog.text


async def test_one_model_that_does_all_is_given_up_too(cared: Cared) -> None:
    cared.fail_realtime()
    await eventually(cared.has_ended, SOON_S)


async def test_an_answer_of_the_one_model_begins_the_count_anew(cared: Cared) -> None:
    saying = cared.apologise()
    cared.fail_realtime()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    item = ChatMessage(role="assistant", content=["Here I am."])
    cared.session.emit("conversation_item_added", ConversationItemAddedEvent(item=item))
    saying._mark_done()
    await eventually(lambda: _is_idle(cared.care), SOON_S)
    assert not cared.endings


async def _is_idle(care: Care) -> bool:
    return not care._background._tasks
