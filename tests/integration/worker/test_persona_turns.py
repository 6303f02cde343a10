"""Turns of the agent by themselves: no room and no voice, the real plugin, a provider over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from livekit.agents import AgentSession
from livekit.agents.voice.run_result import RunResult
from openai import AsyncClient
from pydantic import SecretStr

from tests.integration.worker.talking import chats
from tests.support.provider import Provider, ToolCall
from tests.support.provider import Stage as Asked
from worker.personas.cast import Cast, Role
from worker.settings import WorkerSettings
from worker.toolbox.discovery import Toolbox
from worker.voice.agent import Assistant
from worker.voice.parts import build_llm
from worker.voice.settings import Stage
from worker.voice.wishes import Wishes

ORDERS = '''
def order(number: int, express: bool = False) -> dict[str, object]:
    """Look at an order."""
    if number < 0:
        raise KeyError("secret")
    return {"number": number, "express": express}
'''


@pytest.fixture
def toolbox(tmp_path: Path) -> Toolbox:
    (tmp_path / "orders.py").write_text(ORDERS)
    return Toolbox.load(tmp_path, 5.0)


@pytest.fixture
def cast(provider: Provider, toolbox: Toolbox, monkeypatch: pytest.MonkeyPatch) -> Cast:
    for name in WorkerSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    settings = WorkerSettings(
        livekit_api_key="key",
        livekit_api_secret=SecretStr("s" * 40),
        openai_base_url=provider.url,
        llm_temperature=0.5,
    )
    return Cast.of(settings, toolbox.names)


@asynccontextmanager
async def talking(role: Role, toolbox: Toolbox) -> AsyncIterator[AgentSession[Wishes]]:
    endpoint = role.settings.endpoints(Stage.THINKING)[0]
    client = AsyncClient(
        base_url=endpoint.base_url, api_key=endpoint.api_key.get_secret_value(), max_retries=0
    )
    llm = build_llm(endpoint, client, role.settings.llm_temperature)
    async with client, llm, AgentSession[Wishes](userdata=Wishes(), llm=llm) as session:
        tools = toolbox.pick(role.persona.tools)
        await session.start(Assistant(role.instructions, tools))
        yield session


async def turn(session: AgentSession[Wishes], text: str) -> RunResult[None]:
    return await session.run(user_input=text)


async def test_the_model_gets_the_persona_and_its_tools(
    provider: Provider, cast: Cast, toolbox: Toolbox
) -> None:
    for name, tools, temperature in (
        ("assistant", {"current_time", "end_call", "order"}, 0.5),
        ("interviewer", {"end_call"}, 0.7),
    ):
        role = cast.role(name)
        async with talking(role, toolbox) as session:
            result = await turn(session, "Hello.")
            result.expect.next_event().is_message(role="assistant")
            result.expect.no_more_events()
        asked = provider.requests(Asked.CHAT)[-1].body
        assert asked["messages"][0] == {"role": "system", "content": role.instructions}
        assert asked["messages"][1] == {"role": "user", "content": "Hello."}
        assert {tool["function"]["name"] for tool in asked["tools"]} == tools
        assert asked["temperature"] == temperature


async def test_a_tool_is_called_with_what_the_model_says(
    provider: Provider, cast: Cast, toolbox: Toolbox
) -> None:
    provider.reply = lambda messages: (
        "It is on its way."
        if messages[-1]["role"] == "tool"
        else ToolCall(name="order", arguments={"number": 7, "express": None})
    )
    async with talking(cast.default, toolbox) as session:
        result = await turn(session, "Where is my order 7?")
        result.expect.next_event().is_function_call(name="order")
        result.expect.next_event().is_function_call_output(
            output='{"number": 7, "express": false}', is_error=False
        )
        result.expect.next_event().is_message(role="assistant")
        result.expect.no_more_events()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (ToolCall(name="order", arguments={"number": -1, "express": True}), "order did not work."),
        (ToolCall(name="current_time", arguments={"zone": "Mars"}), "'Mars' is not an IANA"),
        (ToolCall(name="order", arguments={"number": "many", "express": True}), "order"),
    ],
)
async def test_a_call_that_fails_is_told_to_the_model_and_the_talk_goes_on(
    provider: Provider, cast: Cast, toolbox: Toolbox, call: ToolCall, words: str
) -> None:
    provider.reply = lambda messages: "Sorry." if messages[-1]["role"] == "tool" else call
    async with talking(cast.default, toolbox) as session:
        result = await turn(session, "Do it.")
        result.expect.next_event().is_function_call(name=call.name)
        output = result.expect.next_event().is_function_call_output(is_error=True)
        assert words in output.event().item.output
        result.expect.next_event().is_message(role="assistant")
        provider.reply = "Yes."
        after = await turn(session, "Still there?")
        after.expect.next_event().is_message(role="assistant")
    assert "secret" not in str(chats(provider))
    assert "Traceback" not in str(chats(provider))
