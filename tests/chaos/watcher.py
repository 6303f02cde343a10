"""Watches a fleet all the time, and remembers what must not have been.

    async with watching(store_settings, rooms) as watcher:
        ...
        assert watcher.violations == []

Redis and LiveKit may be away: then nothing is judged, and no time counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

from pydantic import SecretStr
from redis.exceptions import RedisClusterException, RedisError

from sessions.connection import Temper, connect
from sessions.errors import SessionNotFound, StoreUnavailable
from sessions.ids import SessionId
from sessions.keys import Keys
from sessions.settings import StoreSettings, milliseconds
from sessions.store import SessionStore
from tests.chaos import rules
from tests.chaos.halls import Halls, LiveKitAway
from tests.chaos.quiet import all_came_to_an_end, nothing_is_left, servers_say_the_same
from tests.chaos.rules import Company, Limits, Times
from tests.chaos.sights import Eye, Finding, Held, RoomSight, Sight, Violation

_LOOK_EVERY_S = 0.25
_ROOMS_EVERY_S = 0.5
_KEYS_EVERY_S = 2.0
#: For each second of looking it looks away for so long at least.
_REST = 3.0
#: Whatever verb comes sees to the TTL of shared keys once a second.
_LASTING_S = 5.0
_ANSWER_WITHIN_S = 1.0
_AWAY = (RedisError, RedisClusterException, StoreUnavailable, OSError, TimeoutError)


class Watcher:
    """Looks at the store four times a second, at all rooms twice, and judges by `rules`."""

    def __init__(self, eye: Eye, halls: Halls) -> None:
        self.limits = Limits()
        self.violations: list[Violation] = []
        #: Sessions whose agent a story takes away; None: any may be lost.
        self.may_be_lost: set[SessionId] = set()
        self.any_may_be_lost = False
        #: How often the store was looked at, and how often both were in vain.
        self.looks = 0
        self.misses = {"store": 0, "rooms": 0}
        self._eye, self._halls = eye, halls
        self._began_at = time.monotonic()
        self._seen: set[tuple[str, str, str]] = set()
        self._past: Sight | None = None
        self._edges_seen: dict[SessionId, int] = {}
        self._last_workers: dict[str, tuple[int, str]] = {}
        self._times, self._company = Times(self.limits), Company(self.limits)
        self._lasting = Held()
        self._has_rooms = True
        self._keys_at: float | None = None

    @property
    def store(self) -> SessionStore:
        """The store that is watched."""
        return self._eye.store

    @property
    def duplicates(self) -> int:
        """In how many rooms there were two agents for too long."""
        return len(self._company.found)

    @property
    def past(self) -> Sight | None:
        """What was seen last."""
        return self._past

    def expect_loss(self, *ids: SessionId) -> None:
        """Take note that the agents of these sessions are taken away, and must be replaced."""
        self.may_be_lost.update(ids)

    def expect_losses(self) -> None:
        """Take note that any agent may be lost from now on."""
        self.any_may_be_lost = True

    def report(self, findings: Iterable[Finding]) -> None:
        """Remember what was found, each thing once."""
        for one in findings:
            name = (one.rule, one.subject, one.what)
            if name not in self._seen:
                self._seen.add(name)
                at_s = time.monotonic() - self._began_at
                self.violations.append(
                    Violation(rule=one.rule, subject=one.subject, what=one.what, at_s=at_s)
                )

    async def look_once(self) -> Sight | None:
        """Look at the store once, and judge; None while Redis is away."""
        try:
            sight = await self._eye.look()
            await self._judge(sight)
        except _AWAY:
            self._eye.blink()
            self.misses["store"] += 1
            return None
        self._past = sight
        self.looks += 1
        return sight

    async def look_at_rooms_once(self) -> RoomSight | None:
        """Look at all rooms once, and judge; None while LiveKit is away."""
        try:
            sight = await self._halls.look()
        except LiveKitAway:
            self._halls.blink()
            self.misses["rooms"] += 1
            self._has_rooms = False
            return None
        self._has_rooms = True
        self.report(self._company.judge(sight))
        return sight

    async def look_at_keys_once(self) -> list[str] | None:
        """Look for keys that would stay for ever; None while Redis is away."""
        before, self._keys_at = self._keys_at, time.monotonic()
        try:
            names = await self._eye.lasting_keys()
        except _AWAY:
            self._keys_at = None
            return None
        elapsed_s = 0.0 if before is None else self._keys_at - before
        # Without a worker and a server there may be no verb that would see to them.
        counted_s = elapsed_s if self._past is not None and self._past.is_staffed else 0.0
        self.report(
            Finding(rule="I11", subject=name, what="has no TTL")
            for name in self._lasting.longer_than(_LASTING_S, names, counted_s)
        )
        return names

    async def judge_quiet(self, accepted: Iterable[SessionId], servers: Sequence[str]) -> None:
        """Judge what is there when all users have left, and everything runs."""
        for finding in (
            nothing_is_left(self._eye, self._halls),
            all_came_to_an_end(self._eye, accepted),
            servers_say_the_same(self._eye, servers),
        ):
            self.report([one async for one in finding])

    async def _judge(self, now: Sight) -> None:
        settings, past = self._eye.store.settings, self._past
        capacity = settings.max_sessions
        self.report(rules.slots_and_states(now, capacity, milliseconds(settings.slot_grace_s)))
        self.report(self._times.judge(now, has_rooms=self._has_rooms, capacity=capacity))
        self.report(rules.revivals(now, self._eye.finals))
        await self._judge_edges(now)
        if past is None:
            return
        self.report(rules.moves(past, now))
        self.report(rules.order(past, now))
        if not self.any_may_be_lost:
            self.report(rules.losses(past, now, self.may_be_lost))
        self.report(rules.affinity(past, now, self._last_workers))

    async def _judge_edges(self, now: Sight) -> None:
        for id_, session in now.picture.sessions.items():
            seen = self._edges_seen.get(id_, 0)
            if session.revision > seen:
                try:
                    events = await self._eye.store.journal.events(id_, after=max(seen - 1, 0))
                except SessionNotFound:
                    continue  # it was forgotten meanwhile
                self.report(rules.edges(session, [event.status for event in events]))
                self._edges_seen[id_] = session.revision


@asynccontextmanager
async def watching(settings: StoreSettings, halls: Halls) -> AsyncIterator[Watcher]:
    """Watch a fleet until the block is left; raises what ended the watching, if anything did."""
    redis = connect(settings.model_copy(update={"redis_url": _timed(settings)}), Temper.HASTY)
    eye = Eye(redis, SessionStore(redis, settings), Keys(settings.redis_prefix))
    watcher = Watcher(eye, halls)
    stop = asyncio.Event()
    async with aclosing(eye):
        await watcher.look_once()
        loops = [
            asyncio.create_task(_every(_LOOK_EVERY_S, stop, watcher.look_once)),
            asyncio.create_task(_every(_ROOMS_EVERY_S, stop, watcher.look_at_rooms_once)),
            asyncio.create_task(_every(_KEYS_EVERY_S, stop, watcher.look_at_keys_once)),
        ]
        try:
            yield watcher
        finally:
            stop.set()
            await asyncio.gather(*loops)


def _timed(settings: StoreSettings) -> SecretStr:
    """Return where Redis is, with the patience of a watcher."""
    url = settings.redis_url.get_secret_value()
    joint = "&" if "?" in url else "?"
    times = f"socket_timeout={_ANSWER_WITHIN_S}&socket_connect_timeout={_ANSWER_WITHIN_S}"
    return SecretStr(f"{url}{joint}{times}")


async def _every(
    pause_s: float, stop: asyncio.Event, work: Callable[[], Coroutine[Any, Any, object]]
) -> None:
    """Work again and again; the more it takes, the less often, so that it leaves time to others."""
    while not stop.is_set():
        began_at = time.monotonic()
        await work()
        took_s = time.monotonic() - began_at
        with suppress(TimeoutError):
            async with asyncio.timeout(max(pause_s, _REST * took_s)):
                await stop.wait()
