"""The call page with a real agent behind it: what is heard, and what happens when things break."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import BrowserContext, expect

from devstack.services.config import DEFAULTS
from devstack.services.ports import free_port
from devstack.talk.audio import Sound
from tests.e2e.conftest import QUESTION, RATE
from tests.support.browser import (
    DEADLINE_S,
    browsing,
    forget_recordings,
    is_audible,
    received_energy,
    recording,
    serious_findings,
    take_picture,
)
from tests.support.call_page import CallPage, call_page
from tests.support.replicas import Replica
from tests.support.servers import RunningStack, neutral_environment
from tests.support.speech import speak, transcribe_file, words
from tests.support.wait import eventually
from voicefleet_client import Admin

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("built_pages")]

#: What a word or two amount to in getStats(); a silent track stays far below.
SPOKEN_ENERGY = 1e-3
_TALLEST_BAR = """Math.max(0, ...[...document.querySelectorAll(".lk-audio-bar")]
    .map((bar) => parseFloat(bar.style.height)))"""
_LOUDNESS = """[...document.querySelectorAll("audio")].find((one) => one.srcObject)?.volume"""
#: A recording that has just begun is little more than a header.
_EMPTY_BYTES = 2048
_ASKED_AT_MOST = 3
_ANSWERED_WITHIN_S = 30.0


@pytest.fixture
async def browser(chromium: Path, question: Path) -> AsyncIterator[BrowserContext]:
    """A browser whose user asks what seven plus five is, again and again."""
    async with browsing(chromium, microphone=question) as context:
        yield context


async def test_a_conversation(stack: RunningStack, browser: BrowserContext, tmp_path: Path) -> None:
    """1. The user starts, and asks aloud. 2. The user writes. 3. The user saves what was said, and
    ends the call.

    Result: the agent's *voice* answers, which Whisper hears in what the browser has played; both
    sides are in the transcript, and the file has it.
    """
    admin = Admin(stack.api_url, admin_key=stack.admin_key)
    async with admin, call_page(browser, stack.api_url) as user:
        await user.press("Start talking")
        await user.until_talking()
        await _until_heard(stack, user, "12")
        assert await received_energy(user.page) >= SPOKEN_ENERGY
        assert await is_audible(user.page)
        await user.until_said("agent", "12")
        assert "7" in words(await user.said("user"))

        await _ask_in_writing(user, "What is 30 plus 4?", "34")
        assert "30 plus 4" in await user.said("user")

        await user.page.get_by_text("Session details").click()
        details = user.page.locator(".details")
        session = await _only_session(admin)
        await expect(details).to_contain_text(session["sessionId"])
        # All of it is known in the end; the agent writes down a little later how long it took.
        await expect(details.filter(has_text="not known")).to_have_count(0)
        figures = await details.locator("dd").all_inner_texts()
        assert len([text for text in figures if re.match(r"[\d.]+ m?s\b", text)]) >= 5, figures
        assert await serious_findings(user.page) == []
        await take_picture(user.page, "call-talking")

        await user.press("End call")
        await user.until_phase("over")
        async with user.page.expect_download() as download:
            await user.press("Save transcript")
        path = tmp_path / "saved.txt"
        await (await download.value).save_as(path)
        saved = path.read_text(encoding="utf-8")
        assert "What is 30 plus 4?" in saved
        assert "34" in words(saved)
        assert user.faults == []


async def test_the_agent_is_killed(stack: RunningStack, browser: BrowserContext) -> None:
    """1. The user has been answered. 2. The process of the agent is killed.

    Result: the page says that the agent was lost and another is coming; that one is heard, too.
    """
    admin = Admin(stack.api_url, admin_key=stack.admin_key)
    async with admin, call_page(browser, stack.api_url) as user:
        await user.press("Start talking")
        await user.until_said("agent", "12")
        session = await _only_session(admin)
        await forget_recordings(user.page)
        os.kill(session["agentPid"], signal.SIGKILL)

        async def is_told() -> bool:
            return "replacing" in await user.phases()

        await eventually(is_told, DEADLINE_S, interval_s=0.1)
        await user.until_talking()
        await _until_heard(stack, user, "12")
        again = await _only_session(admin)
        assert again["sessionId"] == session["sessionId"]
        assert again["epoch"] == session["epoch"] + 1


async def test_the_page_is_loaded_again(stack: RunningStack, browser: BrowserContext) -> None:
    """1. The user has been answered. 2. The page is loaded again in the middle of the call.

    Result: it goes on by itself: the same session, the same agent, what was said before is there,
    and the agent is heard.
    """
    admin = Admin(stack.api_url, admin_key=stack.admin_key)
    async with admin, call_page(browser, stack.api_url) as user:
        await user.press("Start talking")
        await user.until_said("agent", "12")
        session = await _only_session(admin)
        await user.page.reload()
        await user.until_talking()
        await user.until_said("agent", "12")
        await _until_heard(stack, user, "12")
        again = await _only_session(admin)
        assert [again["sessionId"], again["epoch"]] == [session["sessionId"], session["epoch"]]


async def test_the_token_server_is_killed(
    stack: RunningStack, browser: BrowserContext, built_pages: Path, tmp_path: Path
) -> None:
    """1. The user has been answered. 2. The token server that the page came from is killed.

    Result: the call does not notice; the user is answered again, and can end it.
    """
    port = free_port()
    env = _like(stack, built_pages) | {"TOKENSERVER_PORT": str(port)}
    server = Replica(port, tmp_path / "tokenserver.log", env)
    await server.start()
    try:
        async with call_page(browser, server.url) as user:
            await user.press("Start talking")
            await user.until_said("agent", "12")
            await server.kill()
            await _ask_in_writing(user, "What is 30 plus 4?", "34")
            assert await user.phase() in {"listening", "speaking", "thinking"}
            await user.press("End call")
            await user.until_phase("over")
    finally:
        await server.kill()


def _like(stack: RunningStack, built_pages: Path) -> dict[str, str]:
    """Return what makes another token server of the same fleet."""
    return neutral_environment() | {
        "REDIS_URL": stack.redis_url,
        "LIVEKIT_URL": stack.livekit_url,
        "LIVEKIT_API_KEY": stack.livekit_api_key,
        "LIVEKIT_API_SECRET": stack.livekit_api_secret,
        "AGENT_NAME": DEFAULTS["AGENT_NAME"],
        "WEB_DIR": str(built_pages),
        "SHUTDOWN_DELAY_S": "0",
    }


async def test_what_is_said_before_the_agent_comes_is_heard(
    stack: RunningStack, chromium: Path, tmp_path: Path
) -> None:
    """1. The user speaks from the moment of the click on, and is silent then for a long time.

    Result: the agent, who was not there yet, has heard it, and answers.
    """
    spoken = (await speak(stack.localvoice_url, QUESTION)).at_rate(RATE)
    silence = np.zeros(60 * RATE, np.int16)
    path = tmp_path / "early.wav"
    Sound(np.concatenate([spoken.samples, silence]), RATE).write(path)
    looks = browsing(chromium, microphone=path)
    async with looks as browser, call_page(browser, stack.api_url) as user:
        await user.press("Start talking")
        await user.until_said("user", "7")
        await user.until_said("agent", "12")


async def test_the_sound_can_be_turned_on(stack: RunningStack, chromium: Path) -> None:
    """1. A user without a microphone loads the page again, so that nothing was clicked since.

    Result: the browser holds the sound back; the page offers to turn it on, and then it is there.
    """
    looks = browsing(chromium, plays_unasked=False)
    async with looks as browser, call_page(browser, stack.api_url) as user:
        await user.press("Start talking")
        await user.until_talking()
        await user.page.reload()

        # Without a look at the page: whoever looks by Playwright is taken for a user who clicks.
        async def is_held_back() -> bool:
            return any("could not playback audio" in line for line in user.complaints)

        await eventually(is_held_back, DEADLINE_S, interval_s=0.1)
        await user.press("Turn on sound")
        await expect(user.page.get_by_role("button", name="Turn on sound")).to_have_count(0)

        async def plays() -> bool:
            return await is_audible(user.page)

        await eventually(plays, DEADLINE_S, interval_s=0.2)


async def test_what_moves_and_how_loud_it_is(stack: RunningStack, browser: BrowserContext) -> None:
    """1. The agent speaks. 2. The user turns it down.

    Result: the bars follow its voice, and its sound is played as loud as was asked for, now and in
    the next call.
    """
    async with call_page(browser, stack.api_url) as user:
        await user.press("Start talking")
        # A voice makes one bar taller than they are in silence.
        await user.until_true(f"{_TALLEST_BAR} > 25")
        await user.page.locator("summary[aria-label='Sound settings']").click()
        await user.page.get_by_label("Volume of the agent").fill("0.3")
        await user.until_true(f"{_LOUDNESS} === 0.3")
        await user.press("End call")
        await user.until_phase("over")
        await user.press("Talk again")
        await user.until_talking()
        await user.until_true(f"{_LOUDNESS} === 0.3")


async def _ask_in_writing(user: CallPage, question: str, word: str) -> None:
    """Mute, write, and wait for the answer.

    What was spoken just before is still to be answered, and may interrupt this: then ask again.
    """
    await user.press("Mute microphone")
    button = user.page.locator("[data-microphone]")
    await expect(button).to_have_attribute("data-microphone", "muted")
    for _ in range(_ASKED_AT_MOST):
        await user.page.get_by_label("Write to the agent").fill(question)
        await user.press("Send")
        with suppress(AssertionError):
            await user.until_said("agent", word, _ANSWERED_WITHIN_S)
            return
    pytest.fail(f"not answered: {await user.said('agent')}")


async def _until_heard(stack: RunningStack, user: CallPage, word: str) -> None:
    """Wait until a word was spoken by the agent whose track came last."""

    async def is_heard() -> bool:
        sound = await recording(user.page)
        assert len(sound) > _EMPTY_BYTES
        heard = words(await transcribe_file(stack.localvoice_url, "heard.webm", sound))
        assert word in heard, heard
        return True

    await eventually(is_heard, DEADLINE_S, interval_s=2.0)


async def _only_session(admin: Admin) -> dict[str, Any]:
    (session,) = [session async for session in admin.sessions("active")]
    return session


@pytest.fixture(autouse=True)
async def nobody_left(stack: RunningStack) -> AsyncIterator[None]:
    """Stop whoever still talks, so that the next test is alone."""
    yield
    async with Admin(stack.api_url, admin_key=stack.admin_key) as admin:
        for session in [session async for session in admin.sessions("live")]:
            await admin.stop(session["sessionId"])
