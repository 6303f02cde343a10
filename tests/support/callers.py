"""Callers with addresses of their own: all of 127.0.0.0/8 is this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from tests.support.plain import NO_TLS


@asynccontextmanager
async def calling_from(url: str, address: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client of a server that calls from this address."""
    transport = httpx2.AsyncHTTPTransport(
        verify=NO_TLS, local_address=address, limits=httpx2.Limits(max_connections=20)
    )
    async with httpx2.AsyncClient(base_url=url, timeout=60, transport=transport) as client:
        yield client
