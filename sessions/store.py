"""SessionStore: the verbs that callers use. Each is one atomic step in Redis."""

from __future__ import annotations

from statistics import quantiles
from typing import Literal

from redis.asyncio import Redis

from sessions.errors import SessionNotFound
from sessions.ids import SessionId
from sessions.keys import Keys
from sessions.model import AgentProcess, Newcomer, Occupancy, Session
from sessions.scripts import Reply, Scripts, translated_errors
from sessions.settings import StoreSettings
from sessions.states import State

#: A live session's keys outlast its lease by far; renewing the lease renews them.
LIVE_TTL_S = 24 * 3600
#: How many start latencies the percentiles are taken over.
STARTUPS_KEPT = 500
#: LiveKit retries a webhook for 15 s; its signature is valid for 5 minutes.
_WEBHOOK_MEMORY_S = 600


class SessionStore:
    """All that is known about sessions, in Redis. Every method may raise StoreUnavailable.

    ``now_ms`` is for tests only: None takes the clock of Redis.
    """

    def __init__(self, redis: Redis, settings: StoreSettings, *, now_ms: int | None = None) -> None:
        self._redis = redis
        self._settings = settings
        self._keys = Keys(settings.redis_prefix)
        self._scripts = Scripts(redis)
        self.now_ms = now_ms

    async def admit(self, newcomer: Newcomer) -> Reply:
        """Give a session a slot, in state `starting`.

        Admitting the same id again changes nothing. Raises AtCapacity.
        """
        fields = {
            "userId": newcomer.user_id,
            "identity": newcomer.identity,
            "room": newcomer.room,
            "secretHash": newcomer.secret_hash,
        }
        return await self._run(
            "admit",
            newcomer.id,
            self._settings.max_sessions,
            _ms(self._settings.start_lease_s),
            *(part for field in fields.items() for part in field),
        )

    async def claim(self, session_id: SessionId, epoch: int, agent: AgentProcess) -> Reply:
        """Take the session for one agent process; its lease starts here.

        Claiming twice for the same job changes nothing. Raises SessionNotFound, SessionOver,
        StaleEpoch, AgentAlreadyThere.
        """
        return await self._run(
            "claim",
            session_id,
            epoch,
            agent.worker_id,
            agent.pid,
            agent.job_id,
            int(agent.prewarmed),
            _ms(self._settings.agent_lease_s),
        )

    async def renew(self, session_id: SessionId, epoch: int) -> Reply:
        """Prolong the agent's lease. Raises SessionNotFound, SessionOver, StaleEpoch."""
        lease_ms = _ms(self._settings.agent_lease_s)
        return await self._run("renew", session_id, epoch, lease_ms)

    async def mark_ready(self, session_id: SessionId, epoch: int) -> Reply:
        """Record that the agent can be heard. Raises SessionNotFound, SessionOver, StaleEpoch."""
        return await self._run("ready", session_id, epoch, STARTUPS_KEPT)

    async def mark_joined(self, session_id: SessionId, *, epoch: int | None = None) -> Reply:
        """Record that the user is in the room; an agent passes its epoch.

        Raises SessionNotFound, SessionOver, StaleEpoch.
        """
        return await self._run("join", session_id, "" if epoch is None else epoch)

    async def end(self, session_id: SessionId, *, epoch: int | None = None) -> Reply:
        """End a session and free its slot; an agent passes its epoch.

        Ending an ended session changes nothing. Raises SessionNotFound, StaleEpoch.
        """
        return await self._finish(session_id, "ended", "", epoch=epoch)

    async def fail(
        self,
        session_id: SessionId,
        error: str,
        *,
        epoch: int | None = None,
        only_if_lapsed: bool = False,
    ) -> Reply:
        """Fail a session and free its slot; `error` is shown to its user.

        With `only_if_lapsed` nothing happens while its lease holds. Raises SessionNotFound,
        StaleEpoch.
        """
        return await self._finish(
            session_id, "failed", error, epoch=epoch, only_if_lapsed=only_if_lapsed
        )

    async def get(self, session_id: SessionId) -> Session:
        """Return a session. Raises SessionNotFound."""
        with translated_errors():
            fields = await self._redis.hgetall(self._keys.session(session_id))
        if not fields:
            raise SessionNotFound(session_id)
        return Session.from_hash(
            session_id, {str(name): str(value) for name, value in fields.items()}
        )

    async def lapsed(self, limit: int = 100) -> list[SessionId]:
        """Return sessions whose lease ran out, longest ago first."""
        with translated_errors():
            ids = await self._redis.zrange(
                self._keys.slots, "-inf", await self._now_ms(), byscore=True, offset=0, num=limit
            )
        return [SessionId(str(text)) for text in ids]

    async def occupancy(self) -> Occupancy:
        """Return how many sessions there are, and how fast the last ones started."""
        pipeline = self._redis.pipeline(transaction=True)
        for state in (State.STARTING, State.READY, State.ACTIVE):
            pipeline.scard(self._keys.in_state(state))
        pipeline.lrange(self._keys.startups, 0, STARTUPS_KEPT - 1)
        with translated_errors():
            starting, ready, active, startups = await pipeline.execute()
        latencies_ms = [int(text) for text in startups]
        return Occupancy(
            starting=starting,
            ready=ready,
            active=active,
            capacity=self._settings.max_sessions,
            startup_p50_ms=percentile(latencies_ms, 50),
            startup_p95_ms=percentile(latencies_ms, 95),
        )

    async def is_event_applied(self, event_id: str) -> bool:
        """Say whether a webhook event was applied before: LiveKit may deliver it again."""
        with translated_errors():
            return bool(await self._redis.exists(self._keys.event_applied(event_id)))

    async def mark_event_applied(self, event_id: str) -> None:
        """Remember that a webhook event has been applied."""
        with translated_errors():
            await self._redis.set(self._keys.event_applied(event_id), 1, ex=_WEBHOOK_MEMORY_S)

    async def ping(self) -> None:
        """Raise StoreUnavailable unless Redis answers."""
        with translated_errors():
            await self._redis.ping()

    async def _finish(
        self,
        session_id: SessionId,
        status: Literal["ended", "failed"],
        error: str,
        *,
        epoch: int | None = None,
        only_if_lapsed: bool = False,
    ) -> Reply:
        return await self._run(
            "finish",
            session_id,
            status,
            error,
            "" if epoch is None else epoch,
            int(only_if_lapsed),
            self._settings.history_ttl_s,
        )

    async def _run(self, verb: str, session_id: SessionId, *args: str | float) -> Reply:
        keys = [
            self._keys.session(session_id),
            self._keys.slots,
            self._keys.in_state(State.STARTING),
            self._keys.in_state(State.READY),
            self._keys.in_state(State.ACTIVE),
            self._keys.startups,
        ]
        clock = "" if self.now_ms is None else self.now_ms
        return await self._scripts.run(verb, keys, [session_id, clock, LIVE_TTL_S, *args])

    async def _now_ms(self) -> int:
        if self.now_ms is not None:
            return self.now_ms
        seconds, microseconds = await self._redis.time()
        return int(seconds) * 1000 + int(microseconds) // 1000


def percentile(values: list[int], percent: int) -> int | None:
    """Return a percentile of the values, or None when there are none."""
    if len(values) < 2:
        return values[0] if values else None
    return round(quantiles(values, n=100, method="inclusive")[percent - 1])


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
