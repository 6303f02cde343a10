"""How many bytes a live session takes in Redis."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from redis.asyncio import Redis

from bench.inventory import weights
from bench.load import LASTING, each, fill_capped_keys, go_live, newcomer
from bench.options import Options
from bench.progress import Progress
from bench.redis_server import Server
from bench.table import Aim, Row, Table
from sessions.ids import SessionId, UserId
from sessions.journal import LogLine
from sessions.keys import SHARED, Keys
from sessions.settings import StoreSettings
from sessions.store import SessionStore

_LOG_LINES, _LINE_CHARS, _LINES_AT_ONCE = 50, 40, 10
_TURNS, _TURN_CHARS = 20, 60
#: One session in so many also gets its log and its conversation.
_WITH_WORDS = 5
_WEIGHED = 200
_LONG_USER_ID = "long-" + "u" * 96
_WORDS = (
    "the weather in the harbour town was fine and nobody at all had brought a coat for the walk "
)
_AIM_BARE = Aim(limit=1_500)
_AIM_WITH_WORDS = Aim(limit=6_144)


@dataclass(slots=True)
class Population:
    """The sessions in one Redis, and the memory it had in use at each step, in bytes."""

    settings: StoreSettings
    ids: list[SessionId] = field(default_factory=list)
    with_words: list[SessionId] = field(default_factory=list)
    empty: int = 0
    fixed: int = 0
    live: int = 0
    full: int = 0


def line(number: int) -> str:
    """Return a log line of 40 characters."""
    return f"{number:03d} {_WORDS}"[:_LINE_CHARS]


def turn(number: int) -> str:
    """Return a turn of 60 characters."""
    return f"{number:03d} {_WORDS}"[:_TURN_CHARS]


async def populate(server: Server, options: Options, progress: Progress) -> Population:
    """Fill the store step by step and note the memory after each. Nothing is connected then."""
    settings = server.settings(
        max_sessions=100_000, history_ttl_s=options.history_s, user_starts_per_minute=0, **LASTING
    )
    await server.stop_own_statistics()
    there = Population(settings, empty=await server.used_memory())
    async with server.client() as redis:
        await fill_capped_keys(redis, settings, progress.tell)
    there.fixed = await server.used_memory()
    async with server.client() as redis:
        store = SessionStore(redis, settings)

        async def start(number: int) -> None:
            there.ids.append(await go_live(store, newcomer(number)))

        await each(range(options.sessions), start, progress.tell, "live sessions")
    there.live = await server.used_memory()
    there.with_words = there.ids[::_WITH_WORDS]
    async with server.client() as redis:
        store = SessionStore(redis, settings)
        await each(
            there.with_words,
            lambda session_id: _talk(store, session_id),
            progress.tell,
            "with log and conversation",
        )
    there.full = await server.used_memory()
    return there


async def _talk(store: SessionStore, session_id: SessionId) -> None:
    for start in range(0, _LOG_LINES, _LINES_AT_ONCE):
        lines = [
            LogLine(level="info", text=line(number))
            for number in range(start, start + _LINES_AT_ONCE)
        ]
        await store.journal.log(session_id, lines, epoch=1)
    for number in range(_TURNS):
        await store.conversations.append(
            session_id,
            1,
            turn_id=f"item_{number:012x}",
            role="assistant" if number % 2 else "user",
            text=turn(number),
        )


async def memory_tables(server: Server, there: Population) -> list[Table]:
    """Say what a session takes, and of which keys that consists."""
    count = len(there.ids)
    bare = (there.live - there.fixed) / count
    words = (there.full - there.live) / len(there.with_words)
    totals = Table(
        part="memory",
        question=f"bytes of Redis for each of {count:,} live sessions of named users",
        subject="used_memory",
        rows=[
            Row(
                name="fixed: script, store, events stream, startups",
                figures={"bytes": there.fixed - there.empty},
            ),
            Row(name="a live session", figures={"bytes": bare}, aim=_AIM_BARE),
            Row(
                name=f"with {_LOG_LINES} log lines and {_TURNS} turns",
                figures={"bytes": bare + words},
                aim=_AIM_WITH_WORDS,
            ),
        ],
        notes=(
            f"a log line has {_LINE_CHARS} characters: {line(7)!r}",
            f"a turn has {_TURN_CHARS} characters: {turn(7)!r}",
            f"{len(there.with_words):,} of the sessions have them; differences of INFO memory, "
            "without the histograms that Redis 7 keeps of commands (about 24 KB each)",
        ),
    )
    async with server.client() as redis:
        return [totals, await _by_kind(redis, there, bare)]


async def _by_kind(redis: Redis, there: Population, bare: float) -> Table:
    """Weigh the keys of a typical session: the median of some."""
    keys, count = Keys(there.settings.redis_prefix), len(there.ids)
    # The others have no log; and those of the first user are weighed with everybody's.
    silent = [one for place, one in enumerate(there.ids) if place % _WITH_WORDS][:_WEIGHED]
    talking = there.with_words[:_WEIGHED]
    users = [UserId(f"user-{number}@example.com") for number in range(min(_WEIGHED, count))]
    indexes = [f"{{{keys.prefix}}}:{name}" for name in SHARED if name not in _FIXED]
    session = await _median(redis, [keys.session(one) for one in silent or talking])
    user = await _median(redis, [keys.user(one) for one in users])
    index = sum(await weights(redis, indexes)) / count
    kinds = {
        "session hash": session,
        "user's list of sessions": user,
        "share in slots and session:active": index,
        "the rest: Redis's own tables": bare - session - user - index,
        f"log list of {_LOG_LINES} lines": await _median(
            redis, [keys.logs(one) for one in talking]
        ),
        f"conversation list of {_TURNS} turns": await _median(
            redis, [keys.conversation(one) for one in talking]
        ),
        "session hash, user id of 101 characters": await _long_one(redis, there, keys),
    }
    return Table(
        part="memory",
        question="bytes by kind of key",
        subject="key",
        rows=[Row(name=name, figures={"bytes": size}) for name, size in kinds.items()],
        notes=(
            f"MEMORY USAGE, the median of up to {_WEIGHED}; the first four are a live session",
            "Redis keeps a hash compactly as long as no field has more than 64 characters",
        ),
    )


#: Shared keys whose size does not depend on how many sessions there are.
_FIXED = frozenset({"startups", "events", "workers"})


async def _median(redis: Redis, names: Sequence[str]) -> float:
    return statistics.median(await weights(redis, names))


async def _long_one(redis: Redis, there: Population, keys: Keys) -> float:
    """Weigh the hash of a session whose user has a long id; it goes on with the others."""
    store = SessionStore(redis, there.settings)
    there.ids.append(await go_live(store, newcomer(user_id=_LONG_USER_ID)))
    return await _median(redis, [keys.session(there.ids[-1])])
