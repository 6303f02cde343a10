"""Runs one call of a tool. Whatever it does, the call goes on, and the model hears how it went.

A function that is not async runs in a thread, so that it cannot hold up the conversation.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import json
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from livekit.agents import StopResponse, ToolError

from sessions.text import clean

logger = logging.getLogger(__name__)

#: What a model is told at most: more would push the conversation out of its context.
_MAX_CHARS = 4000
#: So many functions may hang in threads, in one process, before no more are started.
_MAX_THREADS = 16


class Runner:
    """Calls functions, each for `deadline_s` at most."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._threads = 0
        #: Those that were given up, kept until they notice.
        self._tasks: set[asyncio.Task[str]] = set()

    def guarded(self, function: Callable[..., Any]) -> Callable[..., Awaitable[str]]:
        """Return a function with the same signature that raises nothing but ToolError."""

        @functools.wraps(function)
        async def run(*args: object, **kwargs: object) -> str:
            return await self._run(function, args, kwargs)

        return run

    async def _run(
        self, function: Callable[..., Any], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> str:
        name = function.__name__
        try:
            return await self._in_time(functools.partial(function, *args, **kwargs))
        except ToolError as error:
            raise ToolError(clean(str(error.message), _MAX_CHARS)) from None
        except StopResponse:
            raise
        except TimeoutError:
            logger.warning("tool too slow", extra={"tool": name, "deadline_s": self._deadline_s})
            raise ToolError(f"{name} took too long and was given up.") from None
        except Exception:
            # The log may know why. The model would read it out.
            logger.exception("tool failed", extra={"tool": name})
            raise ToolError(f"{name} did not work.") from None

    async def _in_time(self, call: functools.partial[Any]) -> str:
        """Await a call. Raises TimeoutError, without waiting until it has noticed."""
        running = asyncio.ensure_future(self._answer(call))
        self._tasks.add(running)
        running.add_done_callback(self._forget)
        try:
            done, _ = await asyncio.wait({running}, timeout=self._deadline_s)
            if not done:
                raise TimeoutError
            if running.cancelled():
                raise RuntimeError("it was cancelled, by itself")
            return running.result()
        finally:
            running.cancel()

    async def _answer(self, call: functools.partial[Any]) -> str:
        if inspect.iscoroutinefunction(call.func):
            result = await _contained(call())
        else:
            # What a tool has done already is told, however many hang.
            if self._threads >= _MAX_THREADS:
                raise ToolError("There is too much going on at the moment.")
            result = await self._in_thread(call)
            if inspect.isawaitable(result):  # of a function that only wraps one that is async
                result = await _contained(result)
        if result is None or isinstance(result, str):
            return _as_text(result)
        # What an object does when it is made into text may take its time, too.
        return str(await self._in_thread(functools.partial(_as_text, result)))

    def _in_thread(self, call: Callable[[], object]) -> asyncio.Future[object]:
        # Not asyncio's own threads: others need those, and at the end they are all waited for.
        loop = asyncio.get_running_loop()
        future: asyncio.Future[object] = loop.create_future()
        context = contextvars.copy_context()

        def settle(result: object, error: Exception | None) -> None:
            self._threads -= 1
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        def work() -> None:
            result: object = None
            failure: Exception | None = None
            try:
                result = context.run(call)
            except BaseException as error:  # noqa: BLE001 - goes to whoever awaits it
                failure = _harmless(error)
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(settle, result, failure)

        threading.Thread(target=work, name="tool", daemon=True).start()
        self._threads += 1
        return future

    def _forget(self, running: asyncio.Task[str]) -> None:
        self._tasks.discard(running)
        if not running.cancelled():
            running.exception()


async def _contained(call: Awaitable[Any]) -> object:
    """Await a function of somebody else's: no exception of it ends the event loop."""
    try:
        return await call
    except (SystemExit, KeyboardInterrupt, StopAsyncIteration) as error:
        raise _harmless(error) from None


def _harmless(error: BaseException) -> Exception:
    """Return an exception that ends nothing but the call of the tool.

    `SystemExit` would end the event loop, a cancellation the turn; `StopIteration` cannot be raised
    into a future.
    """
    if isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration):
        return error
    return RuntimeError(repr(error))


def _as_text(result: object) -> str:
    if result is None:
        return "Done."
    if isinstance(result, str):
        return clean(result, _MAX_CHARS)
    text = ""
    for piece in json.JSONEncoder(default=str, ensure_ascii=False).iterencode(result):
        text += piece[: _MAX_CHARS + 1]
        if len(text) > _MAX_CHARS:
            break
    return clean(text, _MAX_CHARS)
