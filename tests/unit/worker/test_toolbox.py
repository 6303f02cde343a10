"""Tools made of plain functions: which are found, and how their calls are contained."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest
from livekit.agents import ToolError
from livekit.agents.llm.utils import build_strict_openai_schema

from tests.support.wait import eventually
from worker.errors import Unusable
from worker.toolbox import running
from worker.toolbox.discovery import Toolbox
from worker.toolbox.running import Runner

WEATHER = '''
from __future__ import annotations
import math
from typing import Literal

def weather(city: str, unit: Literal["c", "f"] = "c") -> str:
    """Tell the weather.

    Args:
        city: Where.
    """
    return f"It rains in {city}, {unit}."

async def tides(harbour: str) -> dict[str, int]:
    """Tell the tides."""
    return {"high": 3}

def _helper() -> int:
    return 1
'''


def load(folder: Path, deadline_s: float = 5.0) -> Toolbox:
    return Toolbox.load(folder, deadline_s)


def problem_of(folder: Path) -> str:
    with pytest.raises(Unusable) as caught:
        load(folder)
    (problem,) = caught.value.problems
    return problem


async def call(toolbox: Toolbox, name: str, **arguments: object) -> str:
    (tool,) = toolbox.pick([name])
    return str(await tool(**arguments))


def test_the_workers_own_are_there() -> None:
    assert Toolbox.load(None, 5.0).names == {"current_time", "end_call"}


async def test_the_public_functions_of_a_folder_are_tools(tmp_path: Path) -> None:
    (tmp_path / "weather.py").write_text(WEATHER)
    (tmp_path / "_shared.py").write_text("def not_a_tool(): ...")
    toolbox = load(tmp_path)
    assert toolbox.names == {"current_time", "end_call", "weather", "tides"}
    assert await call(toolbox, "weather", city="Paris") == "It rains in Paris, c."
    assert await call(toolbox, "tides", harbour="Brest") == '{"high": 3}'
    (weather,) = toolbox.pick(["weather"])
    schema = build_strict_openai_schema(weather)["function"]
    assert schema["description"].strip() == "Tell the weather."
    assert schema["parameters"]["properties"]["city"]["description"] == "Where."


def test_a_persona_has_the_ones_it_names() -> None:
    toolbox = Toolbox.load(None, 5.0)
    assert [tool.info.name for tool in toolbox.pick(["end_call"])] == ["end_call"]
    assert toolbox.pick([]) == []
    assert len(toolbox.pick(None)) == 2


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f(a: int) -> int:\n    return a", "f: has no docstring"),
        ('def f(a) -> int:\n    """Do."""', "f: a has no type"),
        ('def f(*a: int) -> int:\n    """Do."""', "f: *a: int: a model gives each"),
        ('def f(a: "Nowhere") -> int:\n    """Do."""', "f: its parameters cannot be described"),
        ('def f(a: object.__class__) -> int:\n    """Do."""', "f: its parameters cannot be"),
        ('def end_call() -> int:\n    """Do."""', "end_call: there is another tool"),
        ('def f\u00fc() -> int:\n    """Do."""', "f\u00fc: the name must be"),
        ("x = 1", "has no public function"),
        ("def f(:", "SyntaxError"),
        ("raise ValueError('no\\nluck')", "ValueError: no luck"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("import not_there_at_all", "ModuleNotFoundError"),
        (
            "from livekit.agents import function_tool\n"
            '@function_tool\ndef f() -> int:\n    """Do."""',
            "f: is decorated",
        ),
        ('__all__ = ["x"]\nx = 1', "x: is no function"),
    ],
)
def test_a_mistake_is_said_with_the_file(tmp_path: Path, source: str, words: str) -> None:
    (tmp_path / "broken.py").write_text(source, encoding="utf-8")
    problem = problem_of(tmp_path)
    assert str(tmp_path / "broken.py") in problem
    assert words in problem
    assert "\n" not in problem


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert problem_of(tmp_path / "none").startswith("TOOLS_DIR: ")


async def test_a_function_that_is_not_async_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """It waits for something that only the event loop can do."""
    del tmp_path
    go = threading.Event()

    def wait() -> str:
        return "went on" if go.wait(20) else "held up"

    running_ = asyncio.ensure_future(Runner(20.0).guarded(wait)())
    await asyncio.sleep(0)
    go.set()
    assert await running_ == "went on"


async def test_what_takes_too_long_is_given_up() -> None:
    release = threading.Event()

    def hang() -> str:
        return str(release.wait(30))

    async def stubborn() -> str:
        while True:
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                await asyncio.sleep(0.2)
                return "too late"

    runner = Runner(0.1)
    began_at = time.monotonic()
    for function in (hang, stubborn):
        with pytest.raises(ToolError, match=f"{function.__name__} took too long"):
            await runner.guarded(function)()
    assert time.monotonic() - began_at < 15
    release.set()
    await asyncio.sleep(0.5)


async def test_functions_that_hang_do_not_take_all_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "_MAX_THREADS", 2)
    release = threading.Event()
    runner = Runner(0.05)

    def hang() -> None:
        release.wait(30)

    for words in ("too long", "too long", "too much going on"):
        with pytest.raises(ToolError, match=words):
            await runner.guarded(hang)()
    release.set()

    async def are_free() -> bool:
        return runner._threads == 0

    await eventually(are_free, 20)


async def test_the_model_hears_nothing_of_what_went_wrong(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> str:
        raise ValueError("password is hunter2")

    with pytest.raises(ToolError) as caught:
        await Runner(20.0).guarded(fail)()
    assert caught.value.message == "fail did not work."
    assert caught.value.__cause__ is None
    assert [record.message for record in caplog.records] == ["tool failed"]


async def test_what_a_tool_wants_to_say_is_passed_on() -> None:
    def fail() -> str:
        raise ToolError("There is no such city." + "x" * 10_000)

    with pytest.raises(ToolError, match=r"There is no such city\.") as caught:
        await Runner(20.0).guarded(fail)()
    assert len(caught.value.message) == 4000


@pytest.mark.parametrize(
    ("result", "text"),
    [(None, "Done."), ("yes", "yes"), ([1, "ä"], '[1, "ä"]'), (Path("/x"), '"/x"')],
)
async def test_results_are_text(result: object, text: str) -> None:
    async def answer() -> object:
        return result

    assert await Runner(20.0).guarded(answer)() == text


async def test_long_results_are_cut() -> None:
    def answer() -> str:
        return "x" * 100_000

    assert len(await Runner(20.0).guarded(answer)()) == 4000
