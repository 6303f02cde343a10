"""Tasks that run beside something and end with it, and whose failures are told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine


class Background:
    """The tasks of one owner; `complaint` is what the owner's log says of one that failed."""

    def __init__(self, logger: logging.Logger, complaint: str) -> None:
        self._logger = logger
        self._complaint = complaint
        self._tasks: set[asyncio.Task[None]] = set()

    def go(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run this from now on."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return task

    async def aclose(self) -> None:
        """Cancel all of them, and wait for that."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._logger.error(self._complaint, exc_info=error)
