"""What a server may do besides answering: send elsewhere, be slow where nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from aiohttp import web
from livekit.agents import APIError
from openai import APITimeoutError

from devstack.services.ports import LOOPBACK
from sessions.batch import Client
from sessions.settings import StoreSettings
from telemetry.endpoint import served
from tests.integration.worker.test_substitutes import ask, workshop
from tests.support.provider import Provider, Stage, Trouble
from tests.support.wait import eventually
from worker.voice.clients import ModelClient
from worker.voice.parts import Parts, build_llm
from worker.voice.settings import Stage as Part

pytestmark = pytest.mark.timeout(60)


@asynccontextmanager
async def portal(where: str) -> AsyncIterator[str]:
    """Serve what sends everybody to a page to log in, or to another server."""

    async def elsewhere(request: web.Request) -> web.Response:
        place = where or "/login"
        status = 307 if where else 302
        tail = request.path.removeprefix("/v1") if where else ""
        return web.Response(status=status, headers={"location": f"{place}{tail}"})

    async def login(_: web.Request) -> web.Response:
        return web.Response(text="<html>please log in</html>", content_type="text/html")

    app = web.Application()
    app.router.add_post("/v1/{tail:.*}", elsewhere)
    app.router.add_get("/login", login)
    async with served(app, LOOPBACK, 0) as port:
        yield f"http://{LOOPBACK}:{port}/v1"


@asynccontextmanager
async def parts_of(settings: StoreSettings, redis: Client, url: str) -> AsyncIterator[Parts]:
    built = workshop(settings, redis, url, None, patience_s=1.0)
    parts = built.build()
    yield parts
    await parts.aclose()
    await built.connections.aclose()


@pytest.mark.parametrize("stage", list(Stage))
async def test_a_page_to_log_in_is_no_answer(
    settings: StoreSettings, redis: Client, stage: Stage
) -> None:
    """As a portal of a network answers: played, it would be noise."""
    async with portal("") as url, parts_of(settings, redis, url) as parts:
        with pytest.raises(APIError):
            await ask(parts, stage)


@pytest.mark.parametrize("stage", [Stage.CHAT, Stage.SPEECH])
async def test_what_is_redirected_is_bounded_too(
    settings: StoreSettings, redis: Client, provider: Provider, stage: Stage
) -> None:
    """1. It answers. 2. It does not get on."""
    async with portal(provider.url) as url, parts_of(settings, redis, url) as parts:
        assert await ask(parts, stage)
        provider.trouble[stage] = Trouble.ALIVE
        with pytest.raises(APIError):
            await asyncio.wait_for(ask(parts, stage), 20)


async def test_a_list_of_models_that_does_not_come_costs_no_answer(
    settings: StoreSettings, redis: Client, provider: Provider
) -> None:
    """It is only asked for to have a connection: the question right after it is asked.

    One that follows a question that was not answered in time is not.
    """
    built = workshop(settings, redis, provider.url, None)
    endpoint = built.settings.endpoints(Part.THINKING)[0]
    client = ModelClient(endpoint, built.connections.http(endpoint), patience_s=1.0)
    parts = replace(built.build(), llm=build_llm(endpoint, client))
    provider.models_take_s = 30.0
    with pytest.raises(APITimeoutError):
        await client.models.list()
    assert await ask(parts, Stage.CHAT)

    provider.trouble[Stage.CHAT] = Trouble.HANG
    for _ in range(2):
        with pytest.raises(APIError):
            await ask(parts, Stage.CHAT)
    assert len(provider.requests(Stage.CHAT)) == 2
    provider.trouble.clear()

    async def answers_again() -> bool:
        with suppress(APIError):
            return bool(await ask(parts, Stage.CHAT))
        return False

    await eventually(answers_again, 20)
    await parts.aclose()
    await built.connections.aclose()
