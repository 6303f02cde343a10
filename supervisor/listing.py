"""All sessions in a state, page by page."""

from __future__ import annotations

from sessions.model import Session
from sessions.states import State
from sessions.store import SessionStore

_PER_PAGE = 200


async def sessions_in(
    store: SessionStore, state: State, *, at_most: int | None = None
) -> list[Session]:
    """Return the sessions in a state, in the order of `Views.by_state`. Raises StoreUnavailable.

    A page may bring a few more than `at_most`.
    """
    sessions: list[Session] = []
    after: str | None = None
    while at_most is None or len(sessions) < at_most:
        page = await store.views.by_state(state, limit=_PER_PAGE, after=after)
        sessions += page.sessions
        after = page.next
        if after is None:
            break
    return sessions
