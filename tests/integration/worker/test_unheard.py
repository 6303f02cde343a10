"""LiveKit tells once that somebody hears the agent. That notice gets lost, and the user does not
notice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.worker.fleet import CALL_S, Fleet
from tests.integration.worker.talking import until_said
from tests.support.provider import Provider
from tests.support.servers import LiveKitServer
from tests.support.signal_relay import SignalRelay, signal_relay
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
async def relay(livekit_server: LiveKitServer) -> AsyncIterator[SignalRelay]:
    """Between the worker, its agents and LiveKit; the user needs none."""
    async with signal_relay(livekit_server.http_url) as one:
        yield one


async def test_an_agent_that_nobody_tells_that_it_is_heard_greets(
    fleet: Fleet, provider: Provider, relay: SignalRelay
) -> None:
    """1. The notice is dropped, as the SDK drops one that comes too early. 2. The user listens.

    Result: they hear the greeting all the same, and the log says why it came late.
    """
    worker = await fleet.start_worker(LIVEKIT_URL=relay.url, OPENAI_BASE_URL=provider.url)
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_agent(CALL_S)
        await eventually(lambda: has_dropped(relay), CALL_S)
        await caller.wait_greeting(CALL_S)
    assert relay.dropped == 1
    assert await worker.has_logged("nobody tells whether the agent is heard")


async def test_what_a_user_says_to_a_silent_agent_does_not_silence_it_for_good(
    fleet: Fleet, provider: Provider, relay: SignalRelay
) -> None:
    """1. The notice is dropped. 2. The user hears nothing yet, and types: that stops the greeting,
    which still waits to be let out.

    Result: they hear the answer.
    """
    worker = await fleet.start_worker(LIVEKIT_URL=relay.url, OPENAI_BASE_URL=provider.url)
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_agent(CALL_S)
        await caller.type("Is anybody there?")
        await until_said(caller, "I see.")
        await caller.wait_greeting(CALL_S)
    assert relay.dropped == 1
    assert await worker.has_logged("nobody tells whether the agent is heard")


async def has_dropped(relay: SignalRelay) -> bool:
    return relay.dropped > 0
