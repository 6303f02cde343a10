"""Every setting is in docs/settings.md and in .env.example, with its default and its meaning."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from localvoice.settings import Settings as LocalvoiceSettings
from supervisor.settings import ProcessSettings
from tokenserver.settings import TokenserverSettings
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "settings.md"

#: Who reads a variable; what both read is listed once.
READERS: dict[str, type[BaseSettings]] = {
    "token server": TokenserverSettings,
    "worker": WorkerSettings,
}
FIELDS: dict[str, FieldInfo] = (
    ProcessSettings.model_fields | WorkerSettings.model_fields | TokenserverSettings.model_fields
)


def shown_default(field: FieldInfo) -> str:
    """Return the default as the table shows it."""
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return "see right"
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is PydanticUndefined or value is None or value == []:
        return "unset"
    # A list is written as JSON, in the environment too.
    text = json.dumps(value) if isinstance(value, list) else str(value).strip().splitlines()[0]
    return f"`{text[:38]}…`" if len(str(value)) > 40 else f"`{text}`"


def row(name: str, field: FieldInfo) -> str:
    """Return the line of the page's table for one setting."""
    readers = [reader for reader, kind in READERS.items() if name in kind.model_fields]
    # A supervisor by itself reads what a token server reads for its own, and a little more.
    read_by = "both" if len(readers) == 2 else "".join(readers) or "supervisor"
    return f"| `{name.upper()}` | {shown_default(field)} | {read_by} | {field.description} |"


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_the_page_has_it(name: str) -> None:
    assert row(name, FIELDS[name]) in PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_has_nothing_else_and_nothing_twice() -> None:
    listed = re.findall(r"^\| `([A-Z0-9_]+)` \|", PAGE.read_text(encoding="utf-8"), re.M)
    assert sorted(listed) == sorted(name.upper() for name in FIELDS)


def test_the_example_file_has_every_variable_and_no_value_that_counts() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    ours = {name.upper() for name in FIELDS}
    localvoice = {f"LOCALVOICE_{name.upper()}" for name in LocalvoiceSettings.model_fields}
    named = set(re.findall(r"^#([A-Z0-9_]+)=", example, re.M))
    assert ours | localvoice <= named
    assert not re.findall(r"^[^#\s]", example, re.M)
