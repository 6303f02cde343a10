"""Measures the store of the sessions: `python -m bench.store --help`.

Everybody can run it again: it starts its own Redis and tells the aim beside each figure.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from bench.latency import latency_table
from bench.leftovers import leftovers_table
from bench.memory import memory_tables, populate
from bench.options import Options, read_options
from bench.progress import Progress
from bench.redis_server import Server, running_redis
from bench.servers import find_program
from bench.table import Table
from bench.throughput import throughput_table
from devstack.errors import DevstackError
from devstack.install.tools import REDIS
from devstack.settings import load_environment
from devstack.terminal import Terminal

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Bench:
    """One run: its parts, one after the other, each with a Redis of its own."""

    def __init__(self, options: Options, env: Mapping[str, str]) -> None:
        self._options = options
        self._env = env
        self._program = find_program(REDIS, env)
        self._terminal = Terminal(env)
        self._status = Terminal(env, sys.stderr)
        self._tables: list[Table] = []
        self._machine: dict[str, object] = {}

    async def run(self) -> None:
        """Run all parts that are wanted, and show each table as soon as it is there."""
        wanted = self._options.parts
        await self._meet_machine()
        if {"memory", "leftovers"} & set(wanted):
            await self._run_memory()
        if "throughput" in wanted:
            await self._run_throughput()
        if "latency" in wanted:
            await self._run_latency()

    def as_json(self) -> dict[str, object]:
        """Return everything that was found."""
        return {
            "machine": self._machine,
            "options": {
                name: getattr(self._options, name)
                for name in Options.__slots__
                if name not in {"json", "is_durable"}
            },
            "tables": [table.as_json() for table in self._tables],
        }

    async def _meet_machine(self) -> None:
        async with AsyncExitStack() as exits:
            version = (await (await self._redis(exits)).info("server"))["redis_version"]
        cores = os.cpu_count()
        self._machine = {
            "cores": cores,
            "python": platform.python_version(),
            "redis": version,
            "system": f"{platform.system()} {platform.machine()}",
            "aof": self._options.is_durable,
        }
        stored = "AOF, fsync every second" if self._options.is_durable else "nothing on disk"
        self._terminal.line(
            f"{cores} cores, {self._machine['system']}, Python {self._machine['python']}, "
            f"Redis {version} ({stored})"
        )

    async def _redis(self, exits: AsyncExitStack) -> Server:
        return await exits.enter_async_context(
            running_redis(self._program, self._env, is_durable=self._options.is_durable)
        )

    async def _run_memory(self) -> None:
        """Run memory and leftovers, which are about the same sessions."""
        wanted = self._options.parts
        async with AsyncExitStack() as exits:
            server = await self._redis(exits)
            progress = Progress("memory", self._status)
            there = await populate(server, self._options, progress)
            if "memory" in wanted:
                tables = await memory_tables(server, there)
                progress.done()
                self._show(*tables)
            if "leftovers" in wanted:
                progress = Progress("leftovers", self._status)
                table = await leftovers_table(server, self._options, there, progress)
                progress.done()
                self._show(table)

    async def _run_throughput(self) -> None:
        async with AsyncExitStack() as exits:
            progress = Progress("throughput", self._status)
            table = await throughput_table(await self._redis(exits), self._options, progress)
            progress.done()
            self._show(table)

    async def _run_latency(self) -> None:
        async with AsyncExitStack() as exits:
            small, large = await self._redis(exits), await self._redis(exits)
            progress = Progress("latency", self._status)
            table = await latency_table(small, large, self._options, progress)
            progress.done()
            self._show(table)

    def _show(self, *tables: Table) -> None:
        for table in tables:
            self._tables.append(table)
            table.show(self._terminal)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0 when it ran through, whatever it found."""
    options = read_options(argv)
    env = load_environment()
    terminal = Terminal(env, sys.stderr)
    try:
        bench = Bench(options, env)
        asyncio.run(_until_signal(bench))
        if options.json:
            _write_json(options.json, bench.as_json())
    except (DevstackError, OSError) as error:
        terminal.error(str(error), getattr(error, "log_tail", ""))
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        terminal.line()
        return 130
    return 0


async def _until_signal(bench: Bench) -> None:
    """Run; a signal ends it in good order, so that no Redis is left."""
    work = asyncio.ensure_future(bench.run())
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, work.cancel)
    await work


def _write_json(path: Path, found: Mapping[str, object]) -> None:
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
