"""`make ask`, as its user types it."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import wave
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from devstack.settings import REPO, process_environment
from tests.e2e.calls import call
from tests.support.servers import RunningStack
from tests.support.speech import speak, words

pytestmark = pytest.mark.timeout(300)


async def ask(*arguments: str) -> tuple[int, str]:
    """Run the client, patiently; return its exit status and what it printed."""
    patience = ("--timeout", "120")
    return await run(sys.executable, "-m", "devstack.talk.ask", *patience, *arguments)


async def run(*argv: str, **variables: str) -> tuple[int, str]:
    """Run a program in the checkout; return its exit status and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=REPO,
        env=process_environment() | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 200)
    return process.returncode or 0, output.decode()


async def test_it_answers_while_three_other_sessions_run(
    stack: RunningStack, tmp_path: Path
) -> None:
    async with AsyncExitStack() as others:
        for _ in range(3):
            await others.enter_async_context(call(stack))
        wav = tmp_path / "answer.wav"
        status, output = await ask(
            "--stack", str(stack.record), "--out", str(wav), "What is seven plus five?"
        )
    assert status == 0, output
    assert "12" in words(output)
    with wave.open(str(wav)) as file:
        assert file.getnframes() > file.getframerate() / 2


async def test_make_ask_finds_the_stack_of_its_run_directory(stack: RunningStack) -> None:
    question, python = "Q=What's six plus seven?", f"PYTHON={sys.executable}"
    status, output = await run(
        *(shutil.which("make") or "make", "ask", question, python),
        VOICEFLEET_RUN_DIR=str(stack.run_dir),
    )
    assert status == 0, output
    assert "13" in words(output)
    assert (stack.run_dir / "answer.wav").exists()


async def test_it_plays_a_recording_and_speaks_json(stack: RunningStack, tmp_path: Path) -> None:
    question = tmp_path / "question.wav"
    (await speak(stack.localvoice_url, "Please count to three.")).at_rate(44_100).write(question)
    status, output = await ask(
        *("--stack", str(stack.record), "--out", str(tmp_path / "answer.wav")),
        *("--json", "--wav", str(question)),
    )
    assert status == 0, output
    told = json.loads(output)
    assert told["ok"] is True
    (answer,) = told["answers"]
    assert "3" in words(answer["text"])
    assert told["greeting"]


async def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    status, output = await ask("--stack", str(tmp_path / "stack.json"), "Hello?")
    assert status == 1
    assert "make run" in output
