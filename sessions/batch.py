"""Calls made at the same time travel together.

The client library spends more time on a call than Redis does. While some are under way, those that
come meanwhile are collected and leave together, as one run of the script: a lone call waits for
nobody, and under load a process gets several times as many through (`bench/store.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import NoScriptError

#: More would keep Redis from everybody else for too long: a few ms.
_MAX_CALLS = 32
#: So many batches at a time: Redis works on one while the next is written or read here.
_UNDER_WAY = 2

Client = Redis | RedisCluster


class Call(NamedTuple):
    """One verb to be run."""

    #: The session it is about, if it is about one.
    key: str | None
    ask: str
    now_ms: int | None


class _Waiting(NamedTuple):
    call: Call
    answer: asyncio.Future[str]


class Batch:
    """Collects calls while others are under way. Belongs to one event loop at a time."""

    def __init__(self, redis: Client, script: str, store_key: str) -> None:
        self._redis = redis
        self._script = script
        self._sha = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        self._store_key = store_key
        self._waiting: list[_Waiting] = []
        self._under_way = 0
        self._senders: set[asyncio.Task[None]] = set()

    async def run(self, call: Call) -> str:
        """Return the answer to a call. Raises what the client library does.

        A caller that is cancelled does not take the others' calls with it.
        """
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(call, answer))
        if self._under_way < _UNDER_WAY:
            self._under_way += 1
            sender = asyncio.create_task(self._send())
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        return await answer

    async def _send(self) -> None:
        try:
            while self._waiting:
                if batch := self._next():
                    await self._serve(batch)
        finally:
            # At once, not when the task is known to be done: a call in between would wait for ever.
            self._under_way -= 1

    def _next(self) -> list[_Waiting]:
        """Take the first calls in line; all of them of the same time, which only tests set."""
        self._waiting = [one for one in self._waiting if not one.answer.done()]
        if not self._waiting:
            return []  # their callers were cancelled
        now_ms = self._waiting[0].call.now_ms
        count = 0
        while count < min(len(self._waiting), _MAX_CALLS):
            if self._waiting[count].call.now_ms != now_ms:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    async def _serve(self, batch: list[_Waiting]) -> None:
        try:
            answers = await self._travel([waiting.call for waiting in batch])
        except Exception as error:  # noqa: BLE001 - it is the callers' to handle
            # Those that came meanwhile would wait as long for the same answer.
            batch, self._waiting = [*batch, *self._waiting], []
            answers = [error] * len(batch)
        except BaseException:
            for waiting in batch:
                waiting.answer.cancel()
            raise
        for waiting, answer in zip(batch, answers, strict=True):
            _hand_over(waiting.answer, answer)

    async def _travel(self, calls: Sequence[Call]) -> Sequence[str | Exception]:
        now_ms = calls[0].now_ms
        keys = [self._store_key, *(call.key for call in calls if call.key is not None)]
        words = [*keys, "" if now_ms is None else str(now_ms), *(call.ask for call in calls)]
        answers: Sequence[str | Exception]
        try:
            answers = await self._redis.evalsha(self._sha, len(keys), *words)
        except NoScriptError:
            # Redis has forgotten it (`SCRIPT FLUSH`, a restart, a failover), or never had it.
            answers = await self._redis.eval(self._script, len(keys), *words)
        return answers


def _hand_over(answer: asyncio.Future[str], result: str | Exception) -> None:
    if answer.done():
        return  # its caller was cancelled
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
