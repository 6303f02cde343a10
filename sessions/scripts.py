"""Loads the Lua verbs and runs them; turns error replies and outages into our exceptions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files

from redis.asyncio import Redis
from redis.exceptions import (
    BusyLoadingError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from sessions.errors import BY_REPLY, SessionError, StoreUnavailable
from sessions.states import State

VERBS = ("admit", "claim", "finish", "join", "ready", "renew")

_OUTAGES = (
    BusyLoadingError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisConnectionError,
    RedisTimeoutError,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What every verb answers."""

    #: Whether this very call changed anything.
    changed: bool
    status: State
    epoch: int


class Scripts:
    """The verbs of the store, ready to run against one Redis."""

    def __init__(self, redis: Redis) -> None:
        folder = files("sessions") / "lua"
        shared = (folder / "include" / "session.lua").read_text(encoding="utf-8")
        self._verbs = {
            verb: redis.register_script(
                shared + (folder / f"{verb}.lua").read_text(encoding="utf-8")
            )
            for verb in VERBS
        }

    async def run(self, verb: str, keys: Sequence[str], args: Sequence[str | float]) -> Reply:
        """Run one verb. Raises what its error reply stands for, or StoreUnavailable."""
        with translated_errors():
            changed, status, epoch = await self._verbs[verb](keys=list(keys), args=list(args))
        return Reply(bool(changed), State(status), int(epoch))


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn what redis-py raises into the exceptions of sessions/errors.py."""
    try:
        yield
    except _OUTAGES as error:
        # The address may hold a password, and redis-py quotes it: the cause is not passed on.
        raise StoreUnavailable(f"Redis did not answer ({type(error).__name__})") from None
    except ResponseError as error:
        raise _meaning(error) from None
    except RedisError as error:
        raise StoreUnavailable(f"Redis failed ({type(error).__name__})") from None


def _meaning(error: ResponseError) -> Exception:
    code, _, detail = str(error).partition(" ")
    kind: type[SessionError] | None = BY_REPLY.get(code)
    return error if kind is None else kind(detail)
