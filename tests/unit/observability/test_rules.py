"""deploy/prometheus: rules name what exists, and alerts are explained, and tried with promtool."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from telemetry.meter import Meter
from tests.support.documents import broken_links
from tests.support.figures import read_page
from tests.unit.observability.known import (
    ALERTS,
    GROUPS,
    PROMETHEUS,
    RECORDINGS,
    ROOT,
    RULES,
    RUNBOOKS,
    SEVERITIES,
    TABLE,
    faults_in,
    faults_of,
    load,
)
from tests.unit.observability.promql import Matcher, Selector, read_query, read_series

RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TEST_FILES = sorted((PROMETHEUS / "tests").glob("*.yml"))
PAGES = sorted(RUNBOOKS.glob("*.md"))
INDEX = RUNBOOKS / "README.md"
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| (.+) \| \[(\w+)\]\((\w+)\.md\) \|$", re.MULTILINE)
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SERVICES = ("rooms", "sessions", "supervisor", "telemetry", "tokenserver", "worker")


def name_of(value: object) -> str:
    """What a case of a test is called."""
    match value:
        case Path():
            return value.name
        case {"alert": str(name)} | {"record": str(name)}:
            return name
    return str(value)


def cases() -> list[dict[str, Any]]:
    """Every case of the files for promtool."""
    return [case for path in TEST_FILES for case in load(path)["tests"]]


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_rules_name_what_exists(rule: dict[str, Any]) -> None:
    assert faults_in(rule["expr"]) == []


def test_what_does_not_exist_is_found() -> None:
    assert faults_in("max(voicefleet_slot)") == ["no metric: voicefleet_slot"]
    assert faults_in('voicefleet_workers{state="true"}') == [
        "voicefleet_workers has no label state"
    ]
    assert faults_in('sum(voicefleet_sessions{state=~"active|talking"}) > 3') == [
        "voicefleet_sessions: state is never ['talking']"
    ]
    assert faults_in("sum by (phase) (voicefleet:sessions:max)") == ["nothing has a label phase"]
    assert faults_in('voicefleet:sessions:max{state="lost"}') == [
        "voicefleet:sessions:max: state is never ['lost']"
    ]
    assert faults_in("voicefleet_slots_bucket") == ["no metric: voicefleet_slots_bucket"]


def test_what_is_known_is_what_is_exported() -> None:
    page = read_page(Meter(TABLE).text().decode())
    series = [
        Selector(name, tuple(Matcher(label, "=", text) for label, text in labels))
        for name, labels in page
    ]
    assert len(series) > len(TABLE)
    assert [fault for one in series for fault in faults_of(one)] == []


def test_recordings_say_what_they_are() -> None:
    """level:metric:operations (https://prometheus.io/docs/practices/rules/)"""
    assert [name for name in RECORDINGS if not re.fullmatch(r"voicefleet:\w+:\w+", name)] == []
    assert len(RULES) == len(RECORDINGS) + len(ALERTS), "a name is there twice"


@pytest.mark.parametrize("rule", ALERTS.values(), ids=name_of)
def test_alerts_are_complete(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"([A-Z][a-z0-9]+)+", rule["alert"])
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in SEVERITIES
    assert rule["annotations"].keys() == {"summary", "runbook"}
    assert rule["annotations"]["summary"].endswith(".")


@pytest.mark.parametrize("rule", ALERTS.values(), ids=name_of)
def test_alerts_have_a_page(rule: dict[str, Any]) -> None:
    page = ROOT / rule["annotations"]["runbook"]
    assert page.parent == RUNBOOKS
    title, text = page.read_text(encoding="utf-8").split("\n", 1)
    assert rule["alert"] in title.removeprefix("# ").split(", ")
    assert rule["labels"]["severity"] in text.lower()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "What users notice",
        "What it means",
        "Look",
        "Do",
        "When it is no fault",
    ]


def test_the_index_lists_the_alerts() -> None:
    rows = {
        (alert, severity, page)
        for alert, severity, _, title, page in ROW.findall(INDEX.read_text(encoding="utf-8"))
        if title == page
    }
    alerts = {
        (name, rule["labels"]["severity"], Path(rule["annotations"]["runbook"]).stem)
        for name, rule in ALERTS.items()
    }
    assert rows == alerts
    assert {page.stem for page in PAGES} == {page for _, _, page in alerts} | {"README"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages_name_what_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    exported = {metric.name for metric in TABLE}
    for name in set(re.findall(r"\bvoicefleet_\w+", text)):
        assert re.sub(r"_(bucket|count|sum)$", "", name) in exported or name in exported, name
    assert set(re.findall(r"\bvoicefleet:[\w:]+", text)) <= set(RECORDINGS)
    for setting in set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", text)):
        assert f"| `{setting}` |" in SETTINGS, setting
    calls = set(re.findall(r"/(?:api|livekit)/[\w/-]*\w", text))
    assert calls <= {re.sub(r"\{\w+\}", "ID", call) for call in re.findall(r" (/[^` ]+)`", API)}
    asked = "".join(re.findall(r"^```promql\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    assert [faults for expr in asked.splitlines() if (faults := faults_in(expr))] == []
    assert broken_links(page) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages_quote_what_the_code_says(page: Path) -> None:
    """Lines of the log, and words that users are shown, stand in `"quotes"`."""
    sources = "".join(
        path.read_text(encoding="utf-8")
        for package in SERVICES
        for path in sorted((ROOT / package).rglob("*.py"))
    )
    quoted = re.findall(r'`("[^"`]+")`', page.read_text(encoding="utf-8"))
    assert [words for words in quoted if words not in sources] == []


def test_every_alert_is_tried() -> None:
    """In one case at least it fires, and in one it stays quiet."""
    tried: defaultdict[str, set[bool]] = defaultdict(set)
    for case in cases():
        for check in case.get("alert_rule_test", ()):
            tried[check["alertname"]].add(bool(check.get("exp_alerts")))
    assert dict(tried) == {alert: {True, False} for alert in ALERTS}


def test_every_recording_is_computed() -> None:
    computed = {
        selector.name
        for case in cases()
        for check in case.get("promql_expr_test", ())
        if check["exp_samples"]
        # What selects by patterns of names, `{__name__=~…}`, names nothing.
        for selector in read_query(check["expr"]).selectors
    }
    assert set(RECORDINGS) - computed == set()


@pytest.mark.parametrize("path", TEST_FILES, ids=name_of)
def test_cases_are_about_what_exists(path: Path) -> None:
    content = load(path)
    written = [one["series"] for case in content["tests"] for one in case["input_series"]]
    assert [fault for text in written for fault in faults_of(read_series(text))] == []
    names = [case["name"] for case in content["tests"]]
    assert len(set(names)) == len(names)
    # Alerts ask for what was recorded, so that comes first.
    rule_files = {Path(name).name for name in content["rule_files"]}
    order = [group["name"] for group in GROUPS]
    if "alerts.yml" not in rule_files:
        order = [group["name"] for group in load(PROMETHEUS / "rules" / "recording.yml")["groups"]]
    assert content["group_eval_order"] == order
