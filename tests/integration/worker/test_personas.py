"""Personas in real calls: who is played, with which voice, words and tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.worker.fleet import CALL_S, Fleet, WorkerProcess
from tests.integration.worker.talking import chats, spoken, until_said
from tests.support.provider import Provider, Stage, ToolCall
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(400)

PIRATE = """
instructions = "You are a pirate."
greeting = "Ahoy, who is there?"
voice = "rough"
language = "fr"
temperature = 0.25
tools = ["treasure"]
"""
SILENT = "instructions: You listen.\n"
TREASURE = '''
import time

def treasure(island: str) -> str:
    """Tell what is buried somewhere.

    Args:
        island: Where.
    """
    if island == "cursed":
        raise ValueError("hunter2")
    if island == "far":
        time.sleep(60)
    return f"Gold on {island}."
'''


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Any]:
    personas, tools = tmp_path / "personas", tmp_path / "tools"
    personas.mkdir()
    tools.mkdir()
    (personas / "pirate.toml").write_text(PIRATE)
    (personas / "silent.yaml").write_text(SILENT)
    (tools / "treasure.py").write_text(TREASURE)
    return {"PERSONAS_DIR": str(personas), "TOOLS_DIR": str(tools), "PERSONA": "silent"}


async def start(
    fleet: Fleet,
    provider: Provider,
    tmp_path: Path,
    **more: Any,  # noqa: ANN401 - variables by name
) -> WorkerProcess:
    clips = str(tmp_path / "clips")
    return await fleet.start_worker(OPENAI_BASE_URL=provider.url, GREETING_CACHE_DIR=clips, **more)


async def test_a_session_has_the_persona_it_asked_for(
    fleet: Fleet, provider: Provider, folders: dict[str, Any], tmp_path: Path
) -> None:
    """Its greeting comes from a clip of its own; model, voice and language are its own, too."""
    worker = await start(fleet, provider, tmp_path, **folders)

    def voices() -> list[str]:
        spoken = [asked.body for asked in provider.requests(Stage.SPEECH)]
        return [body["voice"] for body in spoken if body["input"] == "Ahoy, who is there?"]

    async def is_made() -> bool:
        return voices() == ["rough"] and worker.log.read_text().count('"clip made"') >= 3

    await eventually(is_made, CALL_S)
    call = await fleet.start_call(persona="pirate")
    async with call.join() as caller:
        assert (await caller.wait_greeting(CALL_S)).text == "Ahoy, who is there?"
        assert voices() == ["rough"]
        provider.reply = "Arr."
        await caller.type("Hello.")
        await until_said(caller, "Arr.")
    asked = provider.requests(Stage.CHAT)[0].body
    assert asked["messages"][0]["content"] == "You are a pirate."
    assert asked["temperature"] == 0.25
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["treasure"]
    assert provider.requests(Stage.SPEECH)[-1].body["voice"] == "rough"


async def test_a_session_that_named_nobody_or_a_stranger_has_the_default(
    fleet: Fleet, provider: Provider, folders: dict[str, Any], tmp_path: Path
) -> None:
    """The default one greets nobody here: the user speaks first."""
    worker = await start(fleet, provider, tmp_path, **folders, POOL_SIZE="2")
    for persona in (None, "ghost"):
        call = await fleet.start_call(persona=persona)
        async with call.join() as caller:
            await caller.wait_agent(CALL_S)
            await caller.type("Hello.")
            await until_said(caller, "I see.")
            assert [line.text.strip() for line in caller.lines] == ["I see."]
        asked = provider.requests(Stage.CHAT)[-1].body
        assert asked["messages"][0]["content"] == "You listen."
        assert "temperature" not in asked
        names = {tool["function"]["name"] for tool in asked["tools"]}
        assert names == {"treasure", "current_time", "end_call"}
        assert await worker.has_logged("unknown persona") is (persona == "ghost")


async def test_tools_of_a_folder_are_called_and_contained(
    fleet: Fleet, provider: Provider, folders: dict[str, Any], tmp_path: Path
) -> None:
    """One that works, one that raises, one that blocks for longer than it may."""
    await start(fleet, provider, tmp_path, **folders, TOOL_TIMEOUT_S="1")
    call = await fleet.start_call(persona="pirate")
    results = []
    async with call.join() as caller:
        await caller.wait_greeting(CALL_S)
        for island in ("Tortuga", "cursed", "far"):
            provider.reply = lambda messages, island=island: (
                f"Done with {island}."
                if messages[-1]["role"] == "tool"
                else ToolCall(name="treasure", arguments={"island": island})
            )
            await caller.type(f"What is on {island}?")
            await until_said(caller, f"Done with {island}.")
            results.append(chats(provider)[-1][-1]["content"])
    assert results == [
        "Gold on Tortuga.",
        "treasure did not work.",
        "treasure took too long and was given up.",
    ]
    assert "hunter2" not in str(chats(provider))
    assert spoken(provider)


async def test_broken_files_stop_the_worker_at_its_start(
    fleet: Fleet, folders: dict[str, Any], tmp_path: Path
) -> None:
    persona, tool = tmp_path / "personas" / "p.toml", tmp_path / "tools" / "t.py"
    persona.write_text("mood = 1")
    for path, words in ((persona, ": mood: there is no such key"), (tool, ": f: has no docstring")):
        worker = await fleet.start_worker(until_ready=False, **folders)
        assert await worker.exit_status() == 2
        (heading, *lines) = worker.log.read_text().splitlines()
        assert heading == "The worker cannot start with these files:"
        assert f"  {path}{words}" in "\n".join(lines)
        assert "Traceback" not in worker.log.read_text()
        # Next time, the tools are what is broken: they are looked at first.
        tool.write_text("def f(a): ...")
