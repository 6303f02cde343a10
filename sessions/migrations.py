"""Brings the keys of an older version to the schema of this one: `python -m sessions migrate`.

All services must be stopped meanwhile: older ones do not look at the schema. A migration that was
cut off may be run again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from sessions.batch import Client
from sessions.errors import WrongSchema
from sessions.ids import SessionId, UserId, parse_session_id, parse_user_id
from sessions.keys import Keys
from sessions.scripts import translated_errors
from sessions.settings import LIVE_TTL_S, SCHEMA
from sessions.states import State

#: The first release wrote no schema; what tells it is that there are slots.
_FIRST = 1


async def schema_of(redis: Client, keys: Keys) -> int | None:
    """Return the schema of the keys in Redis, or None when there are none."""
    with translated_errors():
        written = await redis.hget(keys.store, "schema")
        if written is not None:
            return int(written)
        return _FIRST if await redis.exists(keys.slots, *_state_sets(keys)) else None


async def migrate(redis: Client, keys: Keys) -> list[str]:
    """Take the store from whatever schema it has to this code's; return what was done.

    Raises WrongSchema when it is newer, StoreUnavailable.
    """
    found = await schema_of(redis, keys)
    if found is None:
        return ["the store is empty: nothing to do"]
    if found > SCHEMA:
        raise WrongSchema(
            f"the store has schema {found}, which is newer than this code ({SCHEMA}): upgrade it"
        )
    done: list[str] = []
    for schema in range(found, SCHEMA):
        with translated_errors():
            count = await _STEPS[schema](redis, keys)
            await redis.hset(keys.store, "schema", str(schema + 1))
        done.append(f"schema {schema} to {schema + 1}: {count} sessions")
    return done or [f"the store has schema {SCHEMA} already: nothing to do"]


async def _index_by_time(redis: Client, keys: Keys) -> int:
    """1 to 2: states are indexed by time, sessions by user, and remember what happened to them.

    In schema 1 a state was a plain set, and a user without a name had the identity as one.
    """
    count = 0
    for name in _state_sets(keys):
        if await redis.type(name) != "set":
            continue  # done before this migration was cut off
        ids = [parse_session_id(str(text)) for text in await redis.smembers(name)]
        scores: dict[str, float] = {}
        for session_id in filter(None, ids):
            row = await redis.hgetall(keys.session(session_id))
            fields = {str(field): str(value) for field, value in row.items()}
            if fields:
                scores[session_id] = float(fields["createdAt"])
                await _bring_up(redis, keys, session_id, fields)
        if scores:
            # In the place of the old one at once: cut off before that, nothing is lost.
            await redis.zadd(f"{name}:new", dict(scores))
            await redis.expire(f"{name}:new", LIVE_TTL_S)
            await redis.rename(f"{name}:new", name)
        else:
            await redis.delete(name)
        count += len(scores)
    return count


async def _bring_up(
    redis: Client, keys: Keys, session_id: SessionId, fields: Mapping[str, str]
) -> None:
    name, created, status = keys.session(session_id), fields["createdAt"], fields["status"]
    event = f"{status} {created} {fields['epoch']}"
    await redis.hset(name, "admittedAt", created, mapping={"revision": "1", "e:1": event})
    await redis.hdel(name, "room", "startupMs")
    user = parse_user_id(fields.get("userId", ""))
    if user is None or user == fields["identity"]:
        await redis.hdel(name, "userId")
    else:
        await _list_with_user(redis, keys.user(UserId(user)), session_id, float(created))
    if "claimedAt" not in fields:
        # Its agent is on its way, or is not: the supervisor finds out at once.
        await redis.zadd(keys.dispatches, {session_id: float(created)})


async def _list_with_user(redis: Client, name: str, session_id: SessionId, created: float) -> None:
    await redis.zadd(name, {session_id: created})
    await redis.expire(name, LIVE_TTL_S)


def _state_sets(keys: Keys) -> list[str]:
    return [keys.in_state(state) for state in (State.STARTING, State.READY, State.ACTIVE)]


#: Schema -> what brings it to the next one.
_STEPS: Mapping[int, Callable[[Client, Keys], Awaitable[int]]] = {1: _index_by_time}
