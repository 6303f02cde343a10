"""Loads the Lua verbs and runs them; turns error replies and outages into our exceptions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from redis.exceptions import RedisClusterException, RedisError, ResponseError

from sessions.batch import Batch, Call, Client
from sessions.errors import BY_REPLY, SessionError, StoreUnavailable, WrongSchema
from sessions.keys import SHARED, Keys
from sessions.settings import SCHEMA, StoreSettings

Answer = dict[str, Any]

_FOLDER = files("sessions") / "lua"
_WRAPPED = re.compile(r"@user_script: \d+: -(.+)", re.S)
_LIMIT = re.compile(r"\blimits\.(\w+)")
#: In the order in which one needs the other; run.lua comes last.
_INCLUDES = (
    "store",
    "minutes",
    "arrivals",
    "session",
    "claims",
    "gone",
    "lease",
    "keep",
    "release",
    "slots",
    "queue",
    "rate",
    "user",
    "idempotency",
)
#: Error replies of Redis itself that mean "not now"; the rest are mistakes of ours.
_OUTAGES = frozenset(
    {
        "BUSY",  # a script of somebody else's runs
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",  # cannot write to its disk
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "TRYAGAIN",
        "UNBLOCKED",
    }
)


def source(settings: StoreSettings) -> str:
    """Return the whole script: what the verbs share, each verb as a function, what runs them.

    `limits.name` in a file stands for a constant, written in its place: Redis has the text by its
    hash anyway, and nothing is parsed at each call.
    """
    return _with_limits(tuple({**settings.limits(), "shared": " ".join(SHARED)}.items()))


@lru_cache(maxsize=8)
def _with_limits(limits: tuple[tuple[str, object], ...]) -> str:
    values = dict(limits)
    # JSON writes numbers, booleans and plain strings as Lua does.
    return _LIMIT.sub(lambda found: json.dumps(values[found[1]]), _without_limits())


@cache
def _without_limits() -> str:
    """Return all files in one; they are read once."""
    functions = [
        f"verbs.{verb} = function()\n{_read(_FOLDER / f'{verb}.lua')}end" for verb in verbs()
    ]
    return "\n".join([*(_include(name) for name in _INCLUDES), *functions, _include("run")])


def verbs() -> list[str]:
    """Return the names of all verbs: one file each."""
    return sorted(
        path.name.removesuffix(".lua") for path in _FOLDER.iterdir() if path.name.endswith(".lua")
    )


class Scripts:
    """The verbs of the store, ready to run against one Redis."""

    def __init__(self, redis: Client, keys: Keys, settings: StoreSettings) -> None:
        self._batch = Batch(redis, source(settings), keys.store)

    async def run(self, key: str | None, ask: Mapping[str, object], now_ms: int | None) -> Answer:
        """Run one verb and return its answer. Raises what its error reply stands for."""
        with translated_errors():
            text = await self._batch.run(Call(key, json.dumps(ask), now_ms))
        answer: Answer = json.loads(text)
        return answer


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn what redis-py raises into the exceptions of sessions/errors.py."""
    try:
        yield
    except ResponseError as error:
        raise _meaning(error) from None
    except (RedisError, RedisClusterException) as error:
        # The address may hold a password, and redis-py quotes it: the cause is not passed on.
        raise StoreUnavailable(f"Redis did not answer ({type(error).__name__})") from None


def _meaning(error: ResponseError) -> Exception:
    text = str(error)
    # Before Redis 7, what a script runs into comes wrapped: "… @user_script: 35: -READONLY You …".
    if wrapped := _WRAPPED.search(text):
        text = wrapped[1]
    code, _, detail = text.partition(" ")
    kind: type[SessionError] | None = BY_REPLY.get(code)
    if kind is WrongSchema:
        return WrongSchema(_advice(detail))
    if kind is not None:
        return kind(detail)
    if code in _OUTAGES:
        return StoreUnavailable(f"Redis cannot serve us now ({code})")
    if type(error) is not ResponseError:
        return StoreUnavailable(f"Redis cannot serve us now ({type(error).__name__})")
    return error


def _advice(found: str) -> str:
    """Say what to do about keys of another version."""
    if found.isdigit() and int(found) < SCHEMA:
        return (
            f"The store in Redis has schema {found}, this code needs {SCHEMA}: stop all services "
            "and run `python -m sessions migrate`."
        )
    return (
        f"The store in Redis has schema {found}, which is newer than this code ({SCHEMA}): "
        "upgrade this service, or give it a REDIS_PREFIX of its own."
    )


def _include(name: str) -> str:
    return _read(_FOLDER / "include" / f"{name}.lua")


def _read(path: Traversable) -> str:
    return path.read_text(encoding="utf-8")
