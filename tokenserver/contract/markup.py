"""Pieces of HTML. Texts are escaped here; what is called content is HTML already."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


def verb(method: str) -> str:
    """Return a method, in the colour of its kind."""
    return tag("span", method, look=f"verb {method.lower()}")


def code(text: str) -> str:
    """Return a text as code."""
    return tag("code", escape(text))


def marked(text: str) -> str:
    """Escape a text, and set what stands between backticks as code."""
    parts = escape(text).split("`")
    return "".join(tag("code", part) if place % 2 else part for place, part in enumerate(parts))


def table(rows: Iterable[Iterable[str]], *, look: str = "") -> str:
    """Return a table of such rows."""
    lines = (tag("tr", *(tag("td", cell) for cell in row)) for row in rows)
    return tag("table", tag("tbody", *lines), look=look)


def link(target: str, content: str) -> str:
    """Return a link to a place on the page."""
    return f'<a href="#{escape(target)}">{content}</a>'


def tag(name: str, *content: str, look: str = "", anchor: str = "") -> str:
    """Return an element. `look` is a class of page.css, `anchor` what links go to."""
    attributes = {"class": look, "id": anchor}
    given = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items() if value)
    return f"<{name}{given}>{''.join(content)}</{name}>"
