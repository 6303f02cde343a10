"""Proxies of a stage, which any loop may switch; they are a process (gatekeeper.py)."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from devstack.settings import REPO
from tests.support.fault_proxy import Fault
from tests.support.loops import BackgroundLoop

_OBEYS_WITHIN_S = 30.0


class Gate:
    """One proxy."""

    def __init__(self, gatehouse: Gatehouse, number: int, port: int) -> None:
        self._gatehouse, self._number = gatehouse, number
        self.port = port
        #: What it does at the moment.
        self.fault = Fault.PASS

    async def switch(self, fault: Fault, *, delay_s: float = 0.0, after_bytes: int = 0) -> None:
        """Do this from now on: see `FaultProxy`."""
        order = {"gate": self._number, "fault": fault}
        order |= {"delay_s": delay_s, "after_bytes": after_bytes}
        await self._gatehouse.order(order)
        self.fault = fault


class Gatehouse:
    """The process of all proxies of a stage."""

    def __init__(self, loop: BackgroundLoop) -> None:
        self._loop = loop
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def start_here(self, targets: Sequence[Sequence[int]]) -> list[Gate]:
        """Start it; return a gate to each: to the first of its ports that takes connections."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.gatekeeper"),
            *(",".join(map(str, ports)) for ports in targets),
            cwd=REPO,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        ports: list[int] = await self._answer()
        return [Gate(self, number, port) for number, port in enumerate(ports)]

    async def order(self, order: Mapping[str, object]) -> None:
        """Have a proxy do something; return once it does."""
        await self._loop.apart(self._order(order))

    async def close_here(self) -> None:
        """End it."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def _order(self, order: Mapping[str, object]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        async with self._turn:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            await self._answer()

    async def _answer(self) -> Any:  # noqa: ANN401 - JSON
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(_OBEYS_WITHIN_S):
            line = await self._process.stdout.readline()
        assert line, "the gatekeeper is gone"
        return json.loads(line)
