"""The proxies of a stage, in a process of their own: `python -m tests.chaos.gatekeeper PORTS…`.

All that the fleet says to Redis passes here. In the process of the tests it would have to wait for
whatever those do, and look like a slow Redis.

Each word of PORTS is where a proxy leads to: a port, or several with commas between them, of which
the first that takes connections has it.

It prints the port of each proxy, in the order of the words, as a line of JSON. Then it obeys: each
line of its input says what a proxy is to do, and is answered by a line. It ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from tests.support.fault_proxy import Fault, FaultProxy, fault_proxy


async def keep(targets: Sequence[Sequence[int]]) -> None:
    """Run a proxy before each of these until nobody is there to give orders."""
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    async with AsyncExitStack() as stack:
        proxies = [
            await stack.enter_async_context(fault_proxy(first, next_ports=others))
            for first, *others in targets
        ]
        _say([proxy.port for proxy in proxies])
        while line := await orders.readline():
            await _obey(proxies, json.loads(line))
            _say("done")


async def _obey(proxies: Sequence[FaultProxy], order: dict[str, float | str]) -> None:
    proxy = proxies[int(order["gate"])]
    await proxy.switch(
        Fault(str(order["fault"])),
        delay_s=float(order["delay_s"]),
        after_bytes=int(order["after_bytes"]),
    )


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(keep([[int(port) for port in word.split(",")] for word in sys.argv[1:]]))
