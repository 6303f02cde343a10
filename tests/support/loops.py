"""An event loop in a thread, for servers that outlive the loops of single tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

JOIN_WITHIN_S = 30.0


class BackgroundLoop:
    """Runs coroutines from synchronous code; a context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def run(self, work: Coroutine[Any, Any, T], deadline_s: float | None = None) -> T:
        """Run `work` on the loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(deadline_s)

    async def apart(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop and return its result, for whoever is on another loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.run(_finish_tasks(), JOIN_WITHIN_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(JOIN_WITHIN_S)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


async def _finish_tasks() -> None:
    """Cancel what is left, then let transports of ended processes close themselves."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for _ in range(10):
        await asyncio.sleep(0)
