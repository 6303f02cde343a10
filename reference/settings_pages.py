"""The settings as tables for the docs, and as lines for `.env.example`."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from reference.markdown import heading, paragraphs, table
from reference.settings_groups import FIELDS, LOCALVOICE, grouped, readers_of

_COLUMNS = 100
_TITLE_COLUMNS = 80
#: A default that is longer than this is cut in a table.
_SHOWN_CHARS = 40
_LOCALVOICE_PREFIX = "LOCALVOICE_"


def settings_tables() -> str:
    """Return the settings of the services, group by group, as Markdown."""
    blocks = [
        block
        for title, names in grouped().items()
        for block in ([heading(2, title)], table(_HEAD, map(_row, names)))
    ]
    return paragraphs(*blocks)


def localvoice_table() -> str:
    """Return the settings of localvoice as Markdown."""
    rows = (
        (
            f"`{_LOCALVOICE_PREFIX}{name.upper()}`",
            "" if field.default is None else f"`{field.default}`",
            field.description or "",
        )
        for name, field in _localvoice().items()
    )
    return paragraphs(table(("Variable", "Default", "Meaning"), rows))


def example_lines() -> str:
    """Return every variable with its meaning and its default, commented out."""
    lines = [line for title, names in grouped().items() for line in _section(title, names)]
    lines += _title(LOCALVOICE.title)
    for name, field in _localvoice().items():
        lines += _example(_LOCALVOICE_PREFIX + name, field)
    return "\n".join(lines) + "\n"


_HEAD = ("Variable", "Default", "Read by", "Meaning")


def _row(name: str) -> tuple[str, str, str, str]:
    field = FIELDS[name]
    return f"`{name.upper()}`", _shown(field), readers_of(name), field.description or ""


def _localvoice() -> dict[str, FieldInfo]:
    (kind,) = LOCALVOICE.kinds
    return kind.model_fields


def _shown(field: FieldInfo) -> str:
    """Return the default as a table shows it."""
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return "see right"
    value = default_of(field)
    if value in ("", "[]"):
        return "unset"
    first = value.strip().splitlines()[0]
    is_long = len(value) > _SHOWN_CHARS
    return f"`{first[: _SHOWN_CHARS - 2]}…`" if is_long else f"`{first}`"


def default_of(field: FieldInfo) -> str:
    """Return a default as it would be written into the environment; "" where there is none."""
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is PydanticUndefined or value is None:
        return ""
    # A list is written as JSON.
    return json.dumps(value) if isinstance(value, list) else str(value)


def _section(title: str, names: list[str]) -> Iterator[str]:
    yield from _title(title)
    for name in names:
        yield from _example(name, FIELDS[name])


def _title(title: str) -> tuple[str, str]:
    return f"# --- {title} ".ljust(_TITLE_COLUMNS, "-"), ""


def _example(name: str, field: FieldInfo) -> Iterator[str]:
    meaning = field.description or ""
    meaning = meaning[:1].upper() + meaning[1:]
    yield from textwrap.wrap(
        meaning,
        _COLUMNS,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield f"#{name.upper()}={default_of(field)}"
    yield ""
