"""LiveKit's React components, unmodified, in a browser: all they know is our token endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from livekit import api
from redis.asyncio import Redis

from tests.e2e.clients.browser import visit
from tests.e2e.clients.snippets import SNIPPETS, built_snippet
from tests.support.browser import DEADLINE_S
from tests.support.pages import PageServer
from tests.support.plain import NO_TLS
from tests.support.servers import RunningStack
from tests.support.speech import words
from tests.support.wait import eventually
from tests.support.web import Scripts

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("talking_page")]

#: What a word or two amount to in getStats(); a silent track stays far below.
SPOKEN_ENERGY = 1e-3

#: The keys of session records, each of which ends in an id.
RECORDS = "{vf}:session:" + 32 * "[0-9a-f]"


class Occupation:
    """How many slots are taken and rooms are open, on a stack that nobody else uses meanwhile."""

    def __init__(
        self, stack: RunningStack, http: httpx2.AsyncClient, rooms: api.LiveKitAPI, redis: Redis
    ) -> None:
        self.endpoint = f"{stack.api_url}/api/token"
        self._http = http
        self._rooms = rooms
        self._redis = redis

    async def count(self) -> tuple[int, int]:
        """Return slots taken, and rooms open: without a room no agent is sent for."""
        sessions = (await self._http.get("/api/health")).json()["sessions"]
        rooms = (await self._rooms.room.list_rooms(api.ListRoomsRequest())).rooms
        return sum(sessions[s] for s in ("starting", "ready", "active", "queued")), len(rooms)

    async def recorded(self) -> int:
        """Return how many sessions there are and were; their records stay for an hour."""
        return len([key async for key in self._redis.scan_iter(RECORDS, count=1000)])

    async def until(self, slots: int, rooms: int) -> None:
        """Wait until it is so."""

        async def seen() -> bool:
            assert await self.count() == (slots, rooms)
            return True

        await eventually(seen, DEADLINE_S, interval_s=0.2)


@pytest.fixture
async def occupation(stack: RunningStack) -> AsyncIterator[Occupation]:
    async with (
        httpx2.AsyncClient(base_url=stack.api_url, timeout=30, verify=NO_TLS) as http,
        api.LiveKitAPI(stack.livekit_url, stack.livekit_api_key, stack.livekit_api_secret) as rooms,
        Redis.from_url(stack.redis_url, decode_responses=True) as redis,
    ):
        counted = Occupation(stack, http, rooms, redis)
        await counted.until(0, 0)  # whatever the test before left is gone
        yield counted


async def test_a_page_talks_with_the_agent(
    occupation: Occupation, page_server: PageServer, chromium: Path, question: Path
) -> None:
    """1. The page is opened. 2. The user starts, asks something, is answered. 3. The user ends.

    Result: opening and ending fetch one token each, which takes no slot and opens no room; only
    the user's coming does, once.
    """
    recorded = await occupation.recorded()
    url, endpoint = f"{page_server.origin}/talk/", occupation.endpoint
    async with visit(chromium, url, question, endpoint=endpoint, agent="voicefleet") as user:
        await user.until_tokens(1)
        assert await user.read("agent") == "disconnected"
        assert await occupation.count() == (0, 0)

        await user.press("Start")
        await user.until("agent", "listening", "thinking", "speaking")
        await user.until("outcome", "started")
        await user.until("connection", "connected")
        await occupation.until(1, 1)
        await user.until_energy(SPOKEN_ENERGY)
        await user.until_audible()

        greeting = await user.received_energy()
        await user.until_said("agentTranscript", "12")
        assert "7" in words(await user.said("userTranscript"))
        await user.until_energy(greeting + SPOKEN_ENERGY)
        await user.until_tokens(1)

        await user.press("End")
        await user.until("agent", "disconnected")
        await user.until("connection", "disconnected")
        await user.until_tokens(2)
        await occupation.until(0, 0)
    assert await occupation.recorded() == recorded + 1


@pytest.fixture(params=SNIPPETS, ids=str)
def example_url(
    request: pytest.FixtureRequest,
    stack: RunningStack,
    scripts: Scripts,
    page_server: PageServer,
) -> Iterator[str]:
    """A page that is made of an example of the documentation, its address replaced and no more."""
    endpoint, directory = f"{stack.api_url}/api/token", page_server.directory
    with built_snippet(scripts, request.param, endpoint, directory) as name:
        yield f"{page_server.origin}/{name}/"


async def test_an_example_of_the_documentation_talks_with_the_agent(
    occupation: Occupation, chromium: Path, question: Path, example_url: str
) -> None:
    """1. The user starts. 2. The user hangs up.

    Result: the agent is heard, in one room, which is gone in the end.
    """
    async with visit(chromium, example_url, question) as user:
        await user.press("Talk")
        await user.until_energy(SPOKEN_ENERGY)
        await user.until_audible()
        assert await occupation.count() == (1, 1)
        await user.press("Hang up")
        await occupation.until(0, 0)


async def test_an_agent_of_somebody_elses_is_an_error_that_the_page_sees(
    occupation: Occupation, page_server: PageServer, chromium: Path, question: Path
) -> None:
    url, endpoint = f"{page_server.origin}/talk/", occupation.endpoint
    async with visit(chromium, url, question, endpoint=endpoint, agent="another") as user:
        await user.until_tokens(1)
        await user.press("Start")
        await user.until_tokens(2)
        outcome = await user.until("outcome", matching="Error")
        assert "received 400" in outcome
        assert '"code":"unknown_agent"' in outcome
        assert await occupation.count() == (0, 0)


async def test_a_page_of_an_unknown_origin_gets_no_token(
    occupation: Occupation, page_server: PageServer, chromium: Path, question: Path
) -> None:
    """The same page under another name, which `CORS_ORIGINS` does not list."""
    url, endpoint = f"{page_server.unknown_origin}/talk/", occupation.endpoint
    async with visit(chromium, url, question, endpoint=endpoint, agent="voicefleet") as user:
        await user.press("Start")
        outcome = await user.until("outcome", matching="Error")
        assert "Failed to fetch" in outcome
        assert any("CORS policy" in line for line in user.console), user.console
        assert await occupation.count() == (0, 0)
