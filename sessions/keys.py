"""The names of all Redis keys. The scripts build the same ones (include/store.lua).

Every key starts with ``{prefix}:``. The braces put all of them into one hash slot, so that a
script may touch several on a Redis Cluster too. A session store never shares a prefix with
LiveKit's own keys, which have none. What expires a key, or who owns it, stands beside it. Keys of
rate limits, ``{prefix}:limits:…``, are named in tokenserver/access/windows.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from sessions.ids import (
    SessionId,
    UserId,
    WorkerId,
    checked_caller,
    checked_session_id,
    checked_worker_id,
    user_digest,
)
from sessions.states import State

#: What all sessions share. Its TTL is `LIVE_TTL_S`, seen to once a second by whatever verb comes;
#: what is empty does not exist in Redis.
SHARED = (
    "slots",
    "suspects",
    "tickets",
    "dispatches",
    "ghosts",
    "claims",
    "startups",
    "minutes",
    "events",
    "notices",
    "workers",
    "takers",
    *(f"session:{state}" for state in State),
)


@dataclass(frozen=True, slots=True)
class Keys:
    """Builds keys under one prefix, from checked ids only: may raise InvalidInput."""

    prefix: str = "vf"

    def _key(self, name: str) -> str:
        return f"{{{self.prefix}}}:{name}"

    @property
    def store(self) -> str:
        """Hash: schema, ticket counter, mean session length, when Redis was away, who leads under
        which term, when a worker was drained as one too many. No TTL: it is the store itself, and
        has a handful of fields."""
        return self._key("store")

    def session(self, session_id: SessionId) -> str:
        """Hash of one session. TTL: `LIVE_TTL_S`, renewed; once over `history_ttl_s`."""
        return self._key(f"session:{checked_session_id(session_id)}")

    def gone(self, session_id: SessionId) -> str:
        """Marks a session whose user was forgotten as over. TTL: `history_ttl_s`."""
        return self._key(f"gone:{checked_session_id(session_id)}")

    def in_state(self, state: State) -> str:
        """ZSET of the ids in one state; of those that are over, about the last `history_ttl_s`.
        Shared."""
        return self._key(f"session:{state}")

    @property
    def slots(self) -> str:
        """ZSET of ids scored by when their lease lapses. Shared."""
        return self._key("slots")

    @property
    def suspects(self) -> str:
        """ZSET of ids scored by when their lease was first seen to have lapsed.
        Shared."""
        return self._key("suspects")

    @property
    def tickets(self) -> str:
        """ZSET of waiting ids scored by when they give up. Shared."""
        return self._key("tickets")

    @property
    def dispatches(self) -> str:
        """ZSET of ids without an agent scored by when one is due. Shared."""
        return self._key("dispatches")

    @property
    def ghosts(self) -> str:
        """ZSET of ids in whose rooms an agent may be that was written off, scored by when it was.
        Shared."""
        return self._key("ghosts")

    @property
    def claims(self) -> str:
        """List of how long the last agents took to come, in ms, newest first. Shared."""
        return self._key("claims")

    @property
    def startups(self) -> str:
        """List of the last start latencies in ms, newest first. Shared."""
        return self._key("startups")

    @property
    def minutes(self) -> str:
        """Hash: what was counted in each of the last two hours' minutes, see minutes.py. Shared."""
        return self._key("minutes")

    @property
    def hours(self) -> str:
        """Hash: first agents and failures in each of the last hours, see budget.py. TTL: 31 days
        after the last of these."""
        return self._key("hours")

    @property
    def counts(self) -> str:
        """Hash of counters: what became of sessions, and why agents were lost, since the store is
        there. No TTL: a dozen numbers."""
        return self._key("counts")

    @property
    def events(self) -> str:
        """Stream of changes of all sessions, about the last 4,000. Shared."""
        return self._key("events")

    @property
    def notices(self) -> str:
        """Hash: which alerts fire, and what is still to be told to others, see notices.py.
        Shared."""
        return self._key("notices")

    def logs(self, session_id: SessionId) -> str:
        """List of the last log lines of a session. TTL: that of the session."""
        return self._key(f"agent:{checked_session_id(session_id)}:logs")

    def record(self, session_id: SessionId) -> str:
        """Hash: what the last agents of a session have written down of it, by epoch. TTL: that of
        the session."""
        return self._key(f"record:{checked_session_id(session_id)}")

    def conversation(self, session_id: SessionId) -> str:
        """List of the last turns of a session. TTL: that of the session, or deleted at its end."""
        return self._key(f"conversation:{checked_session_id(session_id)}")

    def user(self, user_id: UserId) -> str:
        """ZSET of a user's sessions, the newest last. TTL: `LIVE_TTL_S`, renewed; once none is
        live `history_ttl_s`."""
        return self._key(f"user:{user_digest(user_id)}")

    def memory(self, user_id: UserId) -> str:
        """List of the turns a user wants to be remembered. TTL: `memory_ttl_s`."""
        return self._key(f"memory:{user_digest(user_id)}")

    def rate(self, user_id: UserId) -> str:
        """When all starts of a user are paid back, in ms. TTL: until then, a minute at most."""
        return self._key(f"rate:{user_digest(user_id)}")

    def caller_rate(self, caller: str) -> str:
        """The same of whoever calls, by a name that only the token servers can make."""
        return self._key(f"rate:caller:{checked_caller(caller)}")

    @property
    def all_rate(self) -> str:
        """The same of all callers together."""
        return self._key("rate:all")

    def idempotency(self, digest: str) -> str:
        """Hash: the session that an idempotency key led to. TTL: `idempotency_ttl_s`."""
        return self._key(f"idem:{digest}")

    def worker(self, worker_id: WorkerId) -> str:
        """Hash of one worker. TTL: `LIVE_TTL_S`, renewed; once gone `history_ttl_s`."""
        return self._key(f"worker:{checked_worker_id(worker_id)}")

    @property
    def workers(self) -> str:
        """ZSET of worker ids scored by when their lease lapses. Shared."""
        return self._key("workers")

    @property
    def takers(self) -> str:
        """ZSET of the ids of workers that take calls, all with the score 0. Shared."""
        return self._key("takers")

    @property
    def pool_target(self) -> str:
        """How many warm processes the fleet shall have. No TTL: set by an admin."""
        return self._key("pool:target")

    @property
    def pool_tuning(self) -> str:
        """Hash: how many the traffic asks for, and why. TTL: a few passes of the supervisor."""
        return self._key("pool:tuning")

    @property
    def arrivals(self) -> str:
        """Text: how many got a slot in each of the last `SECONDS_KEPT` seconds, which is its TTL,
        too."""
        return self._key("arrivals")

    @property
    def pool_stats(self) -> str:
        """Hash of counters: total_spawned, total_assigned, total_cold. No TTL: three numbers."""
        return self._key("pool:stats")

    def outage(self, model: str) -> str:
        """How often in a row a provider's model, named by a digest, was tried in vain. TTL: two
        minutes after it may be tried again."""
        return self._key(f"outage:{model}")

    def outage_wait(self, model: str) -> str:
        """Marks that nobody tries that model, or one does just now. TTL: until somebody may; at
        most `PROVIDER_OUTAGE_S`."""
        return self._key(f"outage:{model}:wait")

    @property
    def outages(self) -> str:
        """Hash: since when models are down and what they are called, by the same digest. One whose
        outage is over by itself stays listed. TTL: `LIVE_TTL_S` after the last failure."""
        return self._key("outages")

    def event_applied(self, event_id: str) -> str:
        """Marks a LiveKit webhook event as applied. TTL: ten minutes."""
        return self._key(f"webhook:{event_id}")
