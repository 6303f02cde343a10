"""Nothing gets past the link: media reach a real livekit-server through it, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import numpy as np
import pytest
from livekit import api, rtc

from devstack.install.tools import LIVEKIT
from devstack.services.keys import Keys
from devstack.services.ports import LOOPBACK, Ports
from devstack.services.servers import livekit_service
from devstack.services.service import Service
from devstack.talk.audio import Sound
from devstack.talk.hearing import RATE, Hearing
from devstack.talk.microphone import Microphone
from tests.support.lossy_udp import FRONT, ONLY_BY_LINK, LossyUdp, lossy_udp
from tests.support.servers import neutral_environment, program, running
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(200)

DEADLINE_S = 60.0
#: Longer than what is lost is made up for.
SILENCE_S = 3.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """A livekit-server that names nothing but the link to its clients."""

    url: str
    media_port: int
    keys: Keys


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    keys, run_dir = Keys.generate(), tmp_path_factory.mktemp("livekit")

    def describe(ports: Ports) -> list[Service]:
        service = livekit_service(
            program(LIVEKIT),
            ports=ports,
            keys=keys,
            run_dir=run_dir,
            env=neutral_environment(),
            webhook_url=None,
            rtc=ONLY_BY_LINK,
        )
        return [service]

    with running(describe, "server") as (stack, ports):
        yield Server(url=stack.services[0].url, media_port=ports.livekit_udp, keys=keys)


@pytest.fixture
async def link(server: Server) -> AsyncIterator[LossyUdp]:
    port = server.media_port
    async with lossy_udp(server=(LOOPBACK, port), front=(FRONT, port), loss=0) as link:
        yield link


@asynccontextmanager
async def joined(server: Server, identity: str, room: rtc.Room) -> AsyncIterator[None]:
    """Be in the room until the block is left."""
    token = api.AccessToken(server.keys.livekit_api_key, server.keys.livekit_api_secret)
    grants = api.VideoGrants(room_join=True, room="lossy")
    await room.connect(server.url, token.with_identity(identity).with_grants(grants).to_jwt())
    try:
        yield
    finally:
        await room.disconnect()


@asynccontextmanager
async def speaking(room: rtc.Room) -> AsyncIterator[None]:
    """Make a noise in a room, without a pause, until the block is left."""
    noise = np.random.default_rng(1).normal(0, 6_000, RATE).astype(np.int16)
    microphone = Microphone()
    await microphone.publish(room)

    async def speak() -> None:
        while True:
            await microphone.play(Sound(noise, RATE))

    task = asyncio.create_task(speak())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        await microphone.close()


@asynccontextmanager
async def hearing(room: rtc.Room) -> AsyncIterator[Hearing]:
    """Listen to whoever speaks in a room, until the block is left."""
    heard, listeners = Hearing(), list[asyncio.Task[None]]()

    async def listen(track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
        try:
            async for event in stream:
                heard.add(bytes(event.frame.data))
        finally:
            await stream.aclose()

    def on_track(track: rtc.Track, *_: object) -> None:
        listeners.append(asyncio.create_task(listen(track)))

    room.on("track_subscribed", on_track)
    try:
        yield heard
    finally:
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)


async def test_with_everything_lost_nobody_is_heard(server: Server, link: LossyUdp) -> None:
    """1. One speaks without a pause, another listens. 2. The link loses every packet, in both
    directions. 3. It loses none any more.

    Result: there is silence for as long as it does, though LiveKit, its clients and the signalling
    between them are well; then the other is heard again.
    """
    speaker, listener = rtc.Room(), rtc.Room()

    async with AsyncExitStack() as stack:
        ears = await stack.enter_async_context(hearing(listener))
        await stack.enter_async_context(joined(server, "listener", listener))
        await stack.enter_async_context(joined(server, "speaker", speaker))
        await stack.enter_async_context(speaking(speaker))

        async def is_heard() -> bool:
            return ears.last_loud_at is not None and not ears.is_quiet_for(SILENCE_S)

        async def is_silent() -> bool:
            return ears.is_quiet_for(SILENCE_S)

        await eventually(is_heard, DEADLINE_S)
        assert link.to_server.packets > 0
        assert link.to_clients.packets > 0
        link.loss = 1
        await eventually(is_silent, DEADLINE_S)
        link.loss = 0
        await eventually(is_heard, DEADLINE_S)
