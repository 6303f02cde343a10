"""Rooms in which an agent may still be that was written off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sessions.engine import Engine
from sessions.ids import SessionId
from sessions.scripts import translated_errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Haunt:
    """A session whose agent was written off."""

    session_id: SessionId
    #: When the last of them was, in ms since 1970.
    since_ms: int


class Ghosts:
    """Which rooms are to be looked at. Every method may raise what `SessionStore` says."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def haunts(self, limit: int = 200) -> list[Haunt]:
        """Return live sessions whose agent was written off, those that wait longest first."""
        with translated_errors():
            rows: Any = await self._engine.redis.zrange(
                self._engine.keys.ghosts, 0, limit - 1, withscores=True
            )
        return [Haunt(session_id=SessionId(str(id_)), since_ms=int(at)) for id_, at in rows]

    async def forget(self, haunt: Haunt) -> bool:
        """Note that only one agent is there; False when another was written off meanwhile."""
        answer = await self._engine.run_for("alone", haunt.session_id, since=haunt.since_ms)
        return bool(answer["changed"])
