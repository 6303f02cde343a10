"""Tools that do what they must not: the call goes on, and the model is told."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import ToolError

from worker.errors import Unusable
from worker.toolbox import running as running_module
from worker.toolbox.discovery import Toolbox
from worker.toolbox.running import Runner

ENDINGS = [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), StopIteration()]


@pytest.mark.parametrize("ending", ENDINGS, ids=repr)
async def test_what_would_end_the_process_ends_the_tool(ending: BaseException) -> None:
    """In a thread, and in the event loop, which goes on."""

    def plain() -> str:
        raise ending

    async def in_the_loop() -> str:
        raise ending

    for function in (plain, in_the_loop):
        with pytest.raises(ToolError, match=f"{function.__name__} did not work"):
            await Runner(20.0).guarded(function)()
    assert await asyncio.sleep(0.01, "goes on") == "goes on"


async def test_a_function_that_wraps_one_that_is_async_is_awaited() -> None:
    async def inner() -> str:
        return "from inside"

    def wrapped() -> Coroutine[Any, Any, str]:
        return inner()

    assert await Runner(20.0).guarded(wrapped)() == "from inside"


async def test_half_a_character_is_none() -> None:
    """It could not be sent to any model, with all that is said after it."""

    def answer() -> str:
        return "half \ud83d char"

    def fail() -> str:
        raise ToolError("half \ud83d char")

    assert await Runner(20.0).guarded(answer)() == "half \ufffd char"
    with pytest.raises(ToolError) as caught:
        await Runner(20.0).guarded(fail)()
    assert caught.value.message == "half \ufffd char"


async def test_what_is_no_text_is_made_into_some_beside_the_conversation() -> None:
    """A result of a million parts; one whose text takes for ever."""

    class Slow:
        def __str__(self) -> str:
            time.sleep(2)
            return "slow"

    async def much() -> list[dict[str, int]]:
        return [{"a": 1}] * 1_000_000

    async def slow() -> Slow:
        return Slow()

    assert len(await Runner(20.0).guarded(much)()) == 4000
    ticks = 0
    running = asyncio.ensure_future(Runner(0.5).guarded(slow)())
    while not running.done():
        await asyncio.sleep(0.01)
        ticks += 1
    with pytest.raises(ToolError, match="took too long"):
        running.result()
    # One that had to wait for the text would have come back once.
    assert ticks > 3


async def test_what_was_done_is_told_however_many_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model would do it once more."""
    monkeypatch.setattr(running_module, "_MAX_THREADS", 1)
    release = threading.Event()

    def hang() -> None:
        release.wait(30)

    async def book() -> dict[str, int]:
        return {"seat": 7}

    runner = Runner(0.5)
    with pytest.raises(ToolError, match="took too long"):
        await runner.guarded(hang)()
    assert await runner.guarded(book)() == '{"seat": 7}'
    release.set()


async def test_a_message_that_is_no_text_is_told_all_the_same() -> None:
    def fail() -> str:
        raise ToolError(404)  # type: ignore[arg-type]

    with pytest.raises(ToolError, match="404"):
        await Runner(20.0).guarded(fail)()


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_function_that_yields_is_refused(tmp_path: Path, kind: str) -> None:
    source = f'{kind} count(to: int) -> object:\n    """Count."""\n    yield to\n'
    (tmp_path / "counting.py").write_text(source)
    with pytest.raises(Unusable, match="count: yields"):
        Toolbox.load(tmp_path, 5.0)
    sys.modules.pop("voicefleet_tools.counting", None)
