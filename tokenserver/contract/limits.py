"""How often an operation may be called, in words."""

from __future__ import annotations

from tokenserver.access.limits import SETTINGS
from tokenserver.http.operation import Operation, Unlimited


def limit_of(operation: Operation) -> str:
    """Return which setting limits an operation, or why nothing does."""
    if isinstance(operation.limit, Unlimited):
        return f"None. {operation.limit.reason}"
    setting = SETTINGS[operation.limit].upper()
    return f"`{setting}` for each address; with an admin key `ADMIN_LIMIT_PER_MINUTE`."
