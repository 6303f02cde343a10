"""Before the call: what the fleet offers, and what a user chooses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, expect

from tests.support.browser import everything_kept, serious_findings, take_picture
from tests.support.call_page import CallPage, call_page
from tests.support.identity_provider import (
    AUDIENCE,
    ISSUER,
    ec_key,
    running_provider,
)
from tests.support.replicas import ADMIN_KEY, Replica, Replicas
from voicefleet_client import Admin

pytestmark = pytest.mark.timeout(300)


async def test_a_user_chooses_whom_to_talk_with(
    replicas: Replicas, built_pages: Path, browser: BrowserContext
) -> None:
    """The choice is the session's, and is there again when the page is loaded the next time."""
    personas = {"PERSONA": "pirate", "PERSONAS": json.dumps(["interviewer", "pirate"])}
    server = await replicas.start(WEB_DIR=str(built_pages), **personas)
    async with call_page(browser, server.url) as user:
        choice = user.page.get_by_label("Who to talk with")
        await expect(choice).to_have_value("pirate")
        await choice.select_option("interviewer")
        await user.press("Start talking")
        await user.until_phase("waiting")
        assert (await _only_session(server))["persona"] == "interviewer"
        await user.press("End call")
        await user.press("Back to the start")
        await user.page.reload()
        await expect(choice).to_have_value("interviewer")


async def test_where_there_is_one_persona_nothing_is_to_be_chosen(
    server: Replica, browser: BrowserContext
) -> None:
    async with call_page(browser, server.url) as user:
        await expect(user.page.get_by_role("button", name="Start talking")).to_be_enabled()
        await expect(user.page.get_by_label("Who to talk with")).to_have_count(0)


async def test_a_user_signs_in_with_a_token(
    replicas: Replicas, built_pages: Path, browser: BrowserContext
) -> None:
    """1. A fleet talks with signed-in users only. 2. A user pastes a wrong token, then theirs.

    Result: the first is refused in words, the second starts the call of that user; it is kept
    nowhere.
    """
    async with running_provider() as provider:
        provider.publish(ec_key())
        server = await replicas.start(
            WEB_DIR=str(built_pages),
            AUTH_MODE="jwt",
            AUTH_ISSUER=ISSUER,
            AUTH_AUDIENCE=AUDIENCE,
            AUTH_JWKS_URL=provider.url,
            AUTH_KEYS_TIMEOUT_S="10",
        )
        async with call_page(browser, server.url) as user:
            await expect(user.page.get_by_label("Access token")).to_be_visible()
            await take_picture(user.page, "call-sign-in")
            assert await serious_findings(user.page) == []
            await _start_with(user, "not-a-token")
            assert "You are not signed in" in await user.until_trouble("unauthorized")
            await user.press("Back to the start")
            token = provider.token(ec_key(), claims={"sub": "anna"})
            await _start_with(user, token)
            await user.until_phase("waiting")
            assert (await _only_session(server))["userId"] == "anna"
            assert token not in await everything_kept(user.page)
            assert token not in user.page.url


async def _start_with(user: CallPage, token: str) -> None:
    await user.page.get_by_label("Access token").fill(token)
    await user.press("Start talking")


async def _only_session(server: Replica) -> dict[str, object]:
    async with Admin(server.url, admin_key=ADMIN_KEY) as admin:
        (session,) = [session async for session in admin.sessions("live")]
        return session
