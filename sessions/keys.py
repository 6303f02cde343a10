"""The names of all Redis keys; nothing else builds one.

Every key starts with ``{prefix}:``. The braces put all of them into one hash slot, so that a
script may touch several on a Redis Cluster too. A session store never shares a prefix with
LiveKit's own keys, which have none.
"""

from __future__ import annotations

from dataclasses import dataclass

from sessions.ids import SessionId
from sessions.states import State


@dataclass(frozen=True, slots=True)
class Keys:
    """Builds keys under one prefix. What expires a key, or who owns it, stands beside it."""

    prefix: str = "vf"

    def _key(self, name: str) -> str:
        return f"{{{self.prefix}}}:{name}"

    def session(self, session_id: SessionId) -> str:
        """Hash of one session. TTL: live sessions `live_ttl_s`, then `history_ttl_s`."""
        return self._key(f"session:{session_id}")

    def in_state(self, state: State) -> str:
        """Set of the ids in one live state. TTL: `live_ttl_s` after a change."""
        return self._key(f"session:{state}")

    @property
    def slots(self) -> str:
        """ZSET of ids scored by when their lease lapses. TTL: `live_ttl_s` after a change."""
        return self._key("slots")

    @property
    def startups(self) -> str:
        """List of the last start latencies in ms, newest first. TTL: one day."""
        return self._key("startups")

    def event_applied(self, event_id: str) -> str:
        """Marks a LiveKit webhook event as applied. TTL: ten minutes."""
        return self._key(f"webhook:{event_id}")
