"""A door in front of a real server: shut, nobody gets in, and who was in is put out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from devstack.services.ports import LOOPBACK


class Gate:
    """Passes connections on to a port of this machine while it is open."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._passing: dict[asyncio.Task[None], bytes] = {}
        self._barred: bytes | None = None

    async def open(self) -> None:
        """Let everybody in, on the same port each time."""
        self._server = await asyncio.start_server(self._pass_on, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def bar(self, first_words: bytes | None) -> None:
        """Put out, and keep out, only those whose first words are these; with None, nobody."""
        self._barred = first_words
        for task, words in self._passing.items():
            if self._is_barred(words):
                task.cancel()

    def _is_barred(self, words: bytes) -> bool:
        return self._barred is not None and words.startswith(self._barred)

    async def shut(self) -> None:
        """Refuse connections, and cut off those there are."""
        if self._server is None:
            return
        self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing[task] = b""
        onward: asyncio.StreamWriter | None = None
        try:
            words = self._passing[task] = await reader.read(65_536)
            if self._is_barred(words):
                return
            back, onward = await asyncio.open_connection(LOOPBACK, self._target_port)
            onward.write(words)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(_copy(reader, onward))
                ways.create_task(_copy(back, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass
        finally:
            self._passing.pop(task, None)
            for one in (writer, onward):
                if one is not None:
                    one.transport.abort()


@asynccontextmanager
async def gate_before(target_port: int) -> AsyncIterator[Gate]:
    """Yield an open gate; shut it at the end."""
    gate = Gate(target_port)
    await gate.open()
    try:
        yield gate
    finally:
        with suppress(OSError):
            await gate.shut()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        sink.write(data)
        await sink.drain()
    raise ConnectionResetError("one side has hung up")
