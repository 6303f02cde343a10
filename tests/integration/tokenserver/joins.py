"""Joining a room that shall not be."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from livekit import rtc

from tests.integration.tokenserver.conftest import TokenServer
from tests.support.wait import eventually


async def join_in_vain(tokenserver: TokenServer, session_id: str, token: str) -> None:
    """Join, until the token server has closed the room and this client is out.

    The join is not cancelled: the WebRTC library ends the whole process when nobody takes what
    it has joined.
    """
    room = rtc.Room()
    joining = asyncio.create_task(room.connect(tokenserver.livekit.url, token))

    async def was_closed() -> bool:
        return any(
            "closed a room that was opened again" in line and session_id in line
            for line in tokenserver.log.read_text().splitlines()
        )

    async def is_out() -> bool:
        return joining.done() and not room.isconnected()

    await eventually(was_closed, 60)
    await eventually(is_out, 60)
    with suppress(rtc.ConnectError):
        await joining
    await room.disconnect()
