"""Every setting is shown with its default and its meaning, once, and harmlessly."""

from __future__ import annotations

import re

import pytest
from pydantic_settings import BaseSettings

from devstack.dotenv import parse_dotenv
from localvoice.settings import Settings as LocalvoiceSettings
from reference.__main__ import ROOT
from reference.settings_groups import FIELDS, GROUPS, readers_of
from supervisor.settings import ProcessSettings
from tokenserver.settings import TokenserverSettings
from worker.settings import WorkerSettings

EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
SERVICES = (TokenserverSettings, WorkerSettings, ProcessSettings, LocalvoiceSettings)
#: What no service starts without.
REQUIRED = {"LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": "s" * 32}
#: Made anew at each start.
DRAWN = {"worker_id"}


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_setting_means_something(name: str) -> None:
    kinds = [kind for group in GROUPS for kind in group.kinds if name in kind.model_fields]
    meanings = {kind.model_fields[name].description for kind in kinds}
    assert meanings - {None} == {FIELDS[name].description}
    assert re.fullmatch(r"[^\n|]+\.", FIELDS[name].description or "")


def test_the_page_has_every_setting_and_nothing_else() -> None:
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| (.+?) \| (.+?) \| .+ \|$", PAGE, re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == sorted(name.upper() for name in FIELDS)
    readers = {name: reader for name, _, reader in rows}
    assert readers["REDIS_URL"] == "both"
    assert readers["WEB_DIR"] == "token server"
    assert readers["POOL_SIZE"] == "worker"
    assert readers["SUPERVISOR_PORT"] == readers_of("supervisor_port") == "supervisor"
    shown = {name: default for name, default, _ in rows}
    assert shown["LIVEKIT_API_SECRET"] == "required"
    assert shown["CORS_ORIGINS"] == shown["ADMIN_API_KEY"] == "unset"
    assert shown["WORKER_ID"] == "see right"
    assert shown["AUTH_ALGORITHMS"] == '`["RS256", "ES256"]`'
    assert re.fullmatch(r"`.{38}…`", shown["APOLOGY"])


def test_the_example_file_sets_nothing() -> None:
    assert not re.findall(r"^[^#\s]", EXAMPLE, re.MULTILINE)
    assert parse_dotenv(EXAMPLE, {}) == {}


@pytest.mark.parametrize("kind", SERVICES)
def test_to_uncomment_the_example_file_changes_nothing(
    kind: type[BaseSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    uncommented = parse_dotenv(re.sub(r"^#([A-Z0-9_]+=)", r"\1", EXAMPLE, flags=re.MULTILINE), {})
    prefix = kind.model_config.get("env_prefix", "")
    names = {f"{prefix}{name}".upper() for name in kind.model_fields}
    assert names <= uncommented.keys()
    for name in names:
        monkeypatch.delenv(name, raising=False)
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    bare = kind().model_dump(exclude=DRAWN)
    for name in names - REQUIRED.keys():
        monkeypatch.setenv(name, uncommented[name])
    assert kind().model_dump(exclude=DRAWN) == bare
