"""Proxies of a stage, which any loop may switch."""

from __future__ import annotations

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.loops import BackgroundLoop


class Gate:
    """A FaultProxy on the loop of its stage."""

    def __init__(self, port: int, loop: BackgroundLoop) -> None:
        self._proxy = FaultProxy(port)
        self._loop = loop
        self.port = self._proxy.port

    @property
    def fault(self) -> Fault:
        """What it does at the moment."""
        return self._proxy.fault

    async def switch(self, fault: Fault, *, delay_s: float = 0.0, after_bytes: int = 0) -> None:
        """Do this from now on: see `FaultProxy`."""
        switching = self._proxy.switch(fault, delay_s=delay_s, after_bytes=after_bytes)
        await self._loop.apart(switching)

    async def start_here(self) -> None:
        """Begin to pass everything. On the stage's loop."""
        await self._proxy.switch(Fault.PASS)

    async def close_here(self) -> None:
        """Close everything. On the stage's loop."""
        await self._proxy.aclose()
