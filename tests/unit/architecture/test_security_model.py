"""docs/security.md knows every secret and who reads it, and what a default is."""

from __future__ import annotations

import re

import pytest

from localvoice.settings import Settings as LocalvoiceSettings
from reference.settings_groups import FIELDS, readers_of
from tests.support.documents import DOCS, broken_links, links, rows, section

PAGE = (DOCS / "security.md").read_text(encoding="utf-8")
DEFAULTS = {
    name: default or "unset"
    for page in ("settings.md", "localvoice.md")
    for name, default in re.findall(
        r"^\| `([A-Z0-9_]+)` \| (.*?) \| ", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE
    )
}


def secrets() -> dict[str, str]:
    """Return every setting that is a secret, with who reads it."""
    found = {
        name.upper(): readers_of(name)
        for name, field in FIELDS.items()
        if "SecretStr" in str(field.annotation)
    }
    return found | {
        f"LOCALVOICE_{name.upper()}": "localvoice"
        for name, field in LocalvoiceSettings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }


def test_every_secret_is_listed_with_who_reads_it() -> None:
    listed = {name.strip("`"): reader for name, reader, *_ in rows(section(PAGE, "### Secrets"))}
    assert listed == secrets()
    assert len(listed) > 15


def test_defaults_that_must_not_stay_are_what_they_are() -> None:
    listed = {
        name.strip("`"): default
        for name, default, _ in rows(section(PAGE, "## What you have to do"))
    }
    assert len(listed) > 10
    assert listed == {name: DEFAULTS[name] for name in listed}


@pytest.mark.parametrize("heading", ["### Who can do what", "### Where trust ends"])
def test_the_model_is_there(heading: str) -> None:
    model = rows(section(PAGE, heading))
    assert len(model) > 6
    assert all(all(row) for row in model)


def test_its_links_lead_somewhere() -> None:
    page = DOCS / "security.md"
    assert len(links(page)) > 20
    assert broken_links(page) == []


def test_settings_it_names_are_there() -> None:
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z0-9]+)+)(?:=[a-z]+)?`", PAGE))
    assert len(named) > 40
    assert named - DEFAULTS.keys() == set()
