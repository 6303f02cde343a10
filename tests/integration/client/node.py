"""The TypeScript client in Node.js, asked to do one thing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.odd_server import Answer, Asked, odd_server
from tests.support.web import Scripts


@dataclass(frozen=True, slots=True)
class NodeClient:
    """A client of one server."""

    scripts: Scripts
    url: str

    async def do(self, what: str, **wish: object) -> dict[str, Any]:
        """Return `views`, `value`, `error` and `tookSeconds`."""
        wishes = json.dumps({"do": what, "secret": "secret", **wish})
        printed = await asyncio.to_thread(self.scripts.run, "test/odd.ts", self.url, wishes)
        outcome: dict[str, Any] = json.loads(printed)
        return outcome


@asynccontextmanager
async def node_at(
    scripts: Scripts, *answers: Answer
) -> AsyncIterator[tuple[NodeClient, list[Asked]]]:
    """Yield a client of an odd server with these answers, and what that was asked."""
    async with odd_server(*answers) as server:
        yield NodeClient(scripts, server.url), server.asked
