"""An operation in a line: who may call it, and how often, in words."""

from __future__ import annotations

from tokenserver.http.operation import Operation, Unlimited


def limit_of(operation: Operation) -> str:
    """Return which setting limits an operation, or why nothing does."""
    if isinstance(operation.limit, Unlimited):
        return f"None. {operation.limit.reason}"
    setting = f"{operation.limit.removesuffix('s').upper()}_LIMIT_PER_MINUTE"
    return f"`{setting}` for each address; with an admin key `ADMIN_LIMIT_PER_MINUTE`."


def table_row(operation: Operation) -> str:
    """Return the line of docs/api.md."""
    limit = "none" if isinstance(operation.limit, Unlimited) else operation.limit
    contract = operation.handler.contract
    does = f"{contract.summary}. {contract.description}"
    call = f"`{operation.method} {operation.path}`"
    return f"| {call} | {operation.access.name} | {limit} | {does} |"
