"""The table of all calls for docs/api.md; each leads to its section of the reference."""

from __future__ import annotations

from collections.abc import Iterator

from reference.markdown import anchor, code, link, paragraphs, table, words
from tokenserver.app import OPERATIONS
from tokenserver.http.operation import Operation, Unlimited

REFERENCE = "api-reference.md"


def calls_table() -> str:
    """Return the calls, in the order of the application, as Markdown."""
    return paragraphs(table(("Call", "Who", "Limit", "Does"), map(_row, OPERATIONS)))


def _row(operation: Operation) -> Iterator[str]:
    summary = operation.handler.contract.summary
    call = code(f"{operation.method} {operation.path}")
    yield link(call, f"{REFERENCE}#{anchor(summary)}")
    yield operation.access.name
    yield "none" if isinstance(operation.limit, Unlimited) else code(operation.limit)
    yield words(summary)
