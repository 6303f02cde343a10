"""What others were told of the fleet, and what they are still to be told.

Only the leader writes it, under its term. So whoever takes over knows where to go on, and one that
was followed by another can neither forget anything nor have it told again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sessions.engine import Engine
from sessions.errors import InvalidInput
from sessions.scripts import translated_errors

#: Redis takes some thousand words at once.
MOST_AT_ONCE = 1_000
_MOST_CHARS = 16_384


class Notices:
    """Texts by name. Every method may raise what `SessionStore` says."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def read(self) -> dict[str, str]:
        """Return all there is."""
        with translated_errors():
            rows = await self._engine.redis.hgetall(self._engine.keys.notices)
        return {str(name): str(text) for name, text in rows.items()}

    async def write(self, changed: Mapping[str, str], dropped: Sequence[str] = ()) -> None:
        """Set some texts and drop others, in one step. Raises InvalidInput for too much at once."""
        if not changed and not dropped:
            return
        is_bounded = all(len(text) <= _MOST_CHARS for text in changed.values())
        if len(changed) + len(dropped) > MOST_AT_ONCE or not is_bounded:
            raise InvalidInput("so much is not written down at once")
        flat = [part for row in changed.items() for part in row]
        await self._engine.run("notice", set=flat or None, drop=[*dropped] or None)
