"""An HTTP application of a test's own, on a free port of this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from devstack.services.ports import LOOPBACK

#: Those who are still connected are not waited for.
_CLOSES_WITHIN_S = 0.5


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """Serve it until the block is left; yield `127.0.0.1:PORT`."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSES_WITHIN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0).start()
        yield f"{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
