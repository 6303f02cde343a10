"""The tests' own provider, behind the plugin that users run: what is wanted is what is said."""

from __future__ import annotations

import pytest

from tests.integration.worker.fleet import CALL_S, Fleet
from tests.support.provider import Provider, Stage, ToolCall
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)


async def test_a_call_is_held_with_it(fleet: Fleet, provider: Provider) -> None:
    provider.reply = lambda messages: (
        "It is late."
        if messages[-1]["role"] == "tool"
        else ToolCall(name="current_time", arguments={"zone": "UTC"})
    )
    await fleet.start_worker(OPENAI_BASE_URL=provider.url)
    call = await fleet.start_call()
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        await caller.type("What time is it?")

        async def is_answered() -> bool:
            return any("It is late." in line.text for line in caller.lines)

        await eventually(is_answered, CALL_S)
    result = provider.requests(Stage.CHAT)[1].body["messages"][-1]
    assert result["role"] == "tool"
    assert "UTC" in result["content"]
