"""docs/migrating.md: all of that design has a row, and what it names of ours is there."""

from __future__ import annotations

import json
import re

import pytest

from sessions.states import State
from supervisor.settings import ProcessSettings
from tests.support.documents import DOCS, broken_links, prose, rows, section
from tokenserver.app import OPERATIONS
from tokenserver.contract.openapi import document
from tokenserver.settings import TokenserverSettings
from worker.settings import WorkerSettings

ROOT = DOCS.parent
PAGE = DOCS / "migrating.md"
TEXT = PAGE.read_text(encoding="utf-8")
CONTRACT = document(OPERATIONS)

#: What that design has, each with a row of its own.
ENDPOINTS = {
    *("POST /api/session/start", "GET /api/session/:id", "POST /api/session/stop"),
    *("POST /api/token", "GET /api/health", "GET /api/sessions", "POST /api/pool/resize"),
    *("GET /api/session/:id/logs?limit=50", "/api/admin/stats"),
}
KEYS = {
    *("session:{id}", "session:user:{userId}", "session:ready", "session:starting"),
    *("pool:ready", "pool:target", "pool:stats", "agent:{id}:pid", "agent:{id}:logs"),
    *("agent:{id}:health", "ratelimit:{ip}", "celery", "celery:task:*", "celery:result:*"),
    "celery:beat:*",
}
SETTINGS = {
    *("REDIS_URL", "LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "GROQ_API_KEY"),
    *("ASSEMBLY_API_KEY", "INWORLD_API_KEY", "MAX_BOTS", "PORT", "SESSION_TIMEOUT"),
    *("BOT_STARTUP_TIMEOUT", "PREWARM_POOL_SIZE", "PYTHON_SCRIPT_PATH", "NODE_ENV"),
    *("CELERY_CONCURRENCY", "CELERY_DEBUG", "VITE_API_URL", "WEBHOOK_URL"),
}
TASKS = {
    *("spawn_voice_agent", "prewarm_agent_pool", "health_check_agents", "cleanup_stale_agents"),
}
#: In capitals, and no settings of ours: others' settings in a sentence, commands of Redis.
NO_SETTINGS = {"PORT", "KEYS", "FLUSHDB", "SESSION_TIMEOUT", "MAX_BOTS"}


def ours() -> str:
    """Return the page without what the other design calls its own: the first cells of rows."""
    lines = prose(TEXT).splitlines()
    return "\n".join(line.split("|", 2)[2] if line.startswith("|") else line for line in lines)


def theirs(heading: str) -> set[str]:
    """Return what the first cells of a section's table name."""
    return {name for row in rows(section(TEXT, heading)) for name in quoted(row[0])}


def quoted(text: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


@pytest.mark.parametrize(
    ("heading", "there"),
    [
        ("## Endpoints", ENDPOINTS),
        ("## Keys in Redis", KEYS),
        ("## Settings", SETTINGS),
        ("## Tasks", TASKS),
    ],
)
def test_all_of_that_design_is_answered(heading: str, there: set[str]) -> None:
    assert theirs(heading) == there


def test_its_states_are_answered() -> None:
    assert theirs("## States") == {"starting", "ready", "active", "error"}
    here = [name for row in rows(section(TEXT, "## States")) for name in quoted(row[1])]
    states = {name for name in here if name != "REDISPATCH_LIMIT"}
    assert states == {state.value for state in State}


def test_our_endpoints_are_operations() -> None:
    named = set(re.findall(r"`((?:GET|POST) /[^`]*)`", ours()))
    assert len(named) >= 14
    assert named <= {f"{operation.method} {operation.path}" for operation in OPERATIONS}


def test_our_queries_are_known() -> None:
    known = {
        parameter["name"]
        for path in CONTRACT["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", [])
    }
    named = set(re.findall(r"`\?(\w+)=", ours()))
    assert named == {"wait", "last"}
    assert named <= known


def test_our_fields_are_in_answers() -> None:
    fields = {name for row in rows(section(TEXT, "### Fields")) for name in quoted(row[1])}
    assert len(fields) >= 20
    contract = json.dumps(CONTRACT["components"]["schemas"])
    assert [name for name in fields if f'"{name}": {{' not in contract] == []


def test_our_errors_are_codes() -> None:
    packages = ("tokenserver", "sessions", "rooms")
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
    )
    cells = [row[1] for row in rows(section(TEXT, "### Errors"))]
    named = {name for cell in cells for name in quoted(cell) if re.fullmatch("[a-z_]+", name)}
    # The circuit's code is made of the name of who does not answer.
    assert len(named) >= 10
    assert [name for name in named if f'"{name}"' not in code] == []


def test_our_keys_are_built() -> None:
    source = (ROOT / "sessions" / "keys.py").read_text(encoding="utf-8")
    built = [
        re.sub(r"\{[^}]*\}", "[^:]+", name)
        for name in re.findall(r'self\._key\(f?"([^"]+)"\)', source)
    ]
    # Those of the limits of calls are made by a library, see tokenserver/access/windows.py.
    patterns = [*built, "limits:…", r"\*"]
    named = set(re.findall(r"`\{vf\}:([^`]+)`", TEXT))
    assert len(named) >= 14
    for name in named:
        assert any(re.fullmatch(pattern, name) for pattern in patterns), name


def test_our_settings_exist() -> None:
    fields = {
        name.upper()
        for kind in (TokenserverSettings, WorkerSettings, ProcessSettings)
        for name in kind.model_fields
    }
    named = set(re.findall(r"`([A-Z][A-Z_]{3,})(?:=[^`]*)?`", ours())) - NO_SETTINGS
    assert len(named) >= 50
    assert named <= fields


def test_what_is_said_of_defaults_is_so() -> None:
    known = TokenserverSettings.model_fields | WorkerSettings.model_fields
    told = re.findall(r"`([A-Z_]+)`, (\d+) \|", ours())
    assert len(told) >= 5
    for name, default in told:
        assert known[name.lower()].default == float(default), name


def test_our_loops_and_alerts_exist() -> None:
    loops = {name for row in rows(section(TEXT, "## Tasks")) for name in quoted(row[1])}
    page = (DOCS / "supervisor.md").read_text(encoding="utf-8")
    assert len(loops) >= 4
    assert [name for name in loops if f"\n| `{name}` | [" not in page] == []
    codes = {name for row in rows(section(TEXT, "## Alerts")) for name in quoted(row[1])}
    source = (ROOT / "supervisor" / "alerts.py").read_text(encoding="utf-8")
    assert len(codes) == len(rows(section(TEXT, "## Alerts")))
    assert [code for code in codes if f'code="{code}"' not in source] == []


def test_alerts_of_prometheus_are_its_rules() -> None:
    rules = (ROOT / "deploy" / "prometheus" / "rules" / "alerts.yml").read_text(encoding="utf-8")
    named = {name for row in rows(section(TEXT, "## Going back")) for name in quoted(row[1])}
    assert len(named) >= 5
    assert [name for name in named if f"- alert: {name}\n" not in rules] == []


def test_what_is_linked_exists() -> None:
    assert broken_links(PAGE) == []
    assert f"(docs/{PAGE.name})" in (ROOT / "README.md").read_text(encoding="utf-8")
