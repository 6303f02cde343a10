"""The call page when its connections are cut: it says so, and comes back by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext

from tests.support.browser import serious_findings, take_picture
from tests.support.call_page import call_page
from tests.support.gate import Gate, gate_before
from tests.support.replicas import ADMIN_KEY, Replica, Replicas
from tests.support.servers import LiveKitServer
from voicefleet_client import Admin

pytestmark = pytest.mark.timeout(400)

#: The room is kept for its user, and the slot, for as long as the page tries.
_PATIENT = {"ROOM_DEPARTURE_TIMEOUT_S": "120", "CLAIM_DEADLINE_S": "60", "START_LEASE_S": "240"}


@dataclass(frozen=True)
class Gated:
    """A token server, and the way of its users to LiveKit."""

    server: Replica
    gate: Gate


@pytest.fixture
async def gated(
    replicas: Replicas, livekit_server: LiveKitServer, built_pages: Path
) -> AsyncIterator[Gated]:
    async with gate_before(livekit_server.port) as gate:
        url = f"ws://127.0.0.1:{gate.port}"
        pages = {"WEB_DIR": str(built_pages), "LIVEKIT_PUBLIC_URL": url}
        yield Gated(await replicas.start(**pages, **_PATIENT), gate)


async def test_it_comes_back_when_the_media_server_does(
    gated: Gated, browser: BrowserContext
) -> None:
    """1. A user is in a room. 2. The way to LiveKit is cut, and opened again.

    Result: the page tells both, and is in the room again; nobody has done anything for it.
    """
    async with call_page(browser, gated.server.url) as user:
        await user.press("Start talking")
        await user.until_phase("waiting")
        await gated.gate.shut()
        await user.until_phase("reconnecting")
        await take_picture(user.page, "call-reconnecting")
        assert await serious_findings(user.page) == []
        await gated.gate.open()
        await user.until_phase("waiting")


async def test_it_comes_back_when_everything_was_away(
    gated: Gated, browser: BrowserContext
) -> None:
    """1. A user is in a room. 2. The token server is killed and the way to LiveKit cut, until the
    SDK has given up. 3. Both are back.

    Result: the page is in the room again, by itself.
    """
    async with call_page(browser, gated.server.url) as user:
        await user.press("Start talking")
        await user.until_phase("waiting")
        await gated.server.kill()
        await gated.gate.shut()
        await user.until_phase("reconnecting")
        # The SDK tells its last error when it leaves the room.
        await user.until_complaint("reconnect")
        assert await user.phase() == "reconnecting"
        await gated.server.start()
        await gated.gate.open()
        await user.until_phase("waiting")


async def test_who_closes_the_room_ends_the_call_and_the_user_is_told(
    replicas: Replicas, built_pages: Path, browser: BrowserContext
) -> None:
    """An admin stops the session: the page says that the call is over, also to screen readers."""
    server = await replicas.start(WEB_DIR=str(built_pages))
    admin = Admin(server.url, admin_key=ADMIN_KEY)
    async with admin, call_page(browser, server.url) as user:
        await user.press("Start talking")
        await user.until_phase("waiting")
        assert "on its way" in await user.spoken()
        (session,) = [one async for one in admin.sessions()]
        await admin.stop(session["sessionId"])
        await user.until_phase("over")
        assert "The call is over" in await user.spoken()
