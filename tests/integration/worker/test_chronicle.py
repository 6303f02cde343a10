"""What is on record of a call, whatever ended it: the record, the log, the words."""

from __future__ import annotations

import os
import signal
from itertools import pairwise

import pytest
from redis.asyncio import Redis

from sessions.keys import Keys
from sessions.settings import StoreSettings
from sessions.states import State
from tests.integration.worker.fleet import CALL_S, Call, Fleet
from tests.support.provider import Provider, Stage, Trouble
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)

WORD = "xyzzy"


@pytest.fixture(scope="session")
def localvoice_url() -> str:
    """Nobody listens there: these tests have a provider of their own."""
    return "http://127.0.0.1:9"


async def answered(call: Call, count: int) -> None:
    async def is_said() -> bool:
        return len(await call.store.conversations.of(call.session_id)) >= count

    await eventually(is_said, CALL_S, message=f"{count} turns")


async def test_a_call_is_on_record_when_its_user_just_left(
    fleet: Fleet, provider: Provider, redis: Redis, settings: StoreSettings
) -> None:
    """1. The user types something and is answered. 2. The user leaves without a word.

    Result: the timeline is complete and in order, both turns have their times, the models their
    usage; nothing of it holds a word, and neither does the log.
    """
    worker = await fleet.start_worker(OPENAI_BASE_URL=provider.url)
    provider.reply = f"You said {WORD}."
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await caller.type(f"My word is {WORD}.")
        await answered(call, 3)
    session = await call.until(State.ENDED)
    part = await call.final_part()
    assert (part.epoch, part.outcome) == (1, "ended")
    assert part.dispatched_at_ms == session.dispatched_at_ms
    moments = part.moments_ms
    order = ["received", "accepted", "assigned", "launched", "entered", "joined", "published"]
    assert all(moments[a] <= moments[b] for a, b in pairwise(order))
    assert moments["entered"] <= moments["claimed"]
    assert moments["published"] <= moments["greeted"] <= moments["user_spoke"]
    assert moments["user_joined"] <= moments["user_spoke"]
    assert [turn.role for turn in part.turns] == ["assistant", "user", "assistant"]
    assert part.turns[2].first_token_ms is not None
    assert part.turns[2].first_sound_ms is not None
    stages = {one.stage: one for one in part.usage}
    assert stages["llm"].input_tokens >= 10
    assert stages["tts"].characters > 0
    assert part.failures == ()
    keys = Keys(settings.redis_prefix)
    assert WORD not in str(await redis.hgetall(keys.record(call.session_id)))

    async def whole_log() -> str | None:
        """Return it once its last line is there, which is written after the session has ended."""
        logged = "\n".join(line.text for line in await call.store.journal.logs(call.session_id))
        return logged if "call over outcome=ended" in logged else None

    logged = await eventually(whole_log, CALL_S)
    assert logged is not None
    assert WORD not in logged
    assert WORD in str(await call.store.conversations.of(call.session_id))
    for key in (keys.record, keys.logs, keys.conversation):
        assert 0 < await redis.ttl(key(call.session_id)) <= settings.history_ttl_s
    assert WORD not in worker.log.read_text()


async def test_of_a_process_that_was_killed_something_is_left(
    fleet: Fleet, provider: Provider
) -> None:
    await fleet.start_worker(OPENAI_BASE_URL=provider.url)
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await caller.type("Hello there.")

        async def is_written() -> bool:
            part = await call.part()
            return part is not None and len(part.turns) == 3

        await eventually(is_written, CALL_S)
        session = await call.look()
        assert session.agent_pid is not None
        os.kill(session.agent_pid, signal.SIGKILL)
    part = await call.part()
    assert part is not None
    assert part.outcome is None
    assert {"claimed", "published", "greeted", "user_joined"} <= set(part.moments_ms)
    assert await call.store.journal.logs(call.session_id)
    await call.store.end(call.session_id)


async def test_what_did_not_work_is_on_record_and_in_the_log(
    fleet: Fleet, provider: Provider
) -> None:
    """The model fails until the agent gives up; the framework's own lines are in the log, too."""
    await fleet.start_worker(OPENAI_BASE_URL=provider.url)
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        provider.trouble[Stage.CHAT] = Trouble.ERROR

        async def has_given_up() -> bool:
            if caller.log.ended_because is None:
                await caller.type(f"My word is {WORD}.")
            return caller.log.ended_because is not None

        await eventually(has_given_up, CALL_S, interval_s=0.5)
    await call.until(State.FAILED)
    part = await call.final_part()
    assert (part.outcome, part.reason) == ("failed", "provider_error")
    assert {failure.stage for failure in part.failures} == {"llm"}
    assert any(not failure.is_recoverable for failure in part.failures)
    lines = await call.store.journal.logs(call.session_id)
    assert any("RoomIO linked to participant" in line.text for line in lines)
    assert any("provider trouble" in line.text and "stage=llm" in line.text for line in lines)
    assert {"error", "info"} <= {line.level for line in lines}
    assert WORD not in str(lines)
    assert WORD not in str(part)


async def test_with_transcripts_off_no_word_is_kept(fleet: Fleet, provider: Provider) -> None:
    await fleet.start_worker(OPENAI_BASE_URL=provider.url, TRANSCRIPTS="off")
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await caller.type("Hello there.")

        async def is_answered() -> bool:
            return any(provider.reply in line.text for line in caller.lines)  # type: ignore[operator]

        await eventually(is_answered, CALL_S)
    part = await call.final_part()
    assert len(part.turns) == 3
    assert await call.store.conversations.of(call.session_id) == []
