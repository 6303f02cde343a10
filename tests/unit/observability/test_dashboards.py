"""deploy/grafana: dashboards parse, ask for what exists, and look alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from tests.support.dashboards import FILES, GRAFANA, expressions, panels, read
from tests.unit.observability.known import KNOWN, faults_in, load
from tests.unit.observability.promql import read_query

NAMES = {"capacity", "fleet", "incidents", "session-quality"}
DATASOURCE = {"type": "prometheus", "uid": "${DS}"}
COLUMNS = 24
#: What is promised (docs/benchmarks.md, the rules), by what is asked: where a panel turns red.
PROMISES = {
    "voicefleet:start_duration_seconds:p95_5m": 2,
    "1 - voicefleet:failures:ratio_rate1h": 0.99,
    "voicefleet:slots_taken:ratio": 0.8,
}

boards = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def test_all_are_there_and_have_a_name_of_their_own() -> None:
    assert {path.stem for path in FILES} == NAMES
    assert {read(path)["uid"] for path in FILES} == {f"voicefleet-{name}" for name in NAMES}
    assert len({read(path)["title"] for path in FILES}) == len(FILES)


@boards
def test_dashboards_are_for_any_grafana(path: Path) -> None:
    """They have no number that one server gave, and no data source of one server."""
    dashboard = read(path)
    assert "id" not in dashboard
    assert dashboard["schemaVersion"] == 38
    assert dashboard["tags"] == ["voicefleet"]
    assert dashboard["description"]
    variable = dashboard["templating"]["list"][0]
    assert (variable["name"], variable["type"], variable["query"]) == (
        "DS",
        "datasource",
        "prometheus",
    )
    assert [one for one in sources_in(dashboard) if one != DATASOURCE] == []


@boards
def test_panels_say_what_they_show(path: Path) -> None:
    ids = [panel["id"] for panel in read(path)["panels"]]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in panels(path)]
    assert all(titles)
    assert len(set(titles)) == len(titles)
    for panel in panels(path):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"] == DATASOURCE, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"], panel["title"]
        assert panel["targets"], panel["title"]
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters), panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]


@boards
def test_panels_ask_for_what_exists(path: Path) -> None:
    assert {expr: faults for expr in expressions(path) if (faults := faults_in(expr))} == {}


@boards
def test_legends_name_labels_that_are_left(path: Path) -> None:
    for panel in panels(path):
        for target in panel["targets"]:
            query = read_query(target["expr"])
            left = {label for one in query.selectors for label in KNOWN[one.name]}
            if query.groupings:
                left = set(query.groupings - {"le"})
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert named <= left, panel["title"]
            # What is one line of several has to say which one.
            assert named or not query.groupings - {"le"}, panel["title"]


@boards
def test_panels_do_not_overlap(path: Path) -> None:
    places = [panel["gridPos"] for panel in read(path)["panels"]]
    for place in places:
        assert place["x"] + place["w"] <= COLUMNS
    for one, other in combinations(places, 2):
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        is_above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert is_beside or is_above, (one, other)


def test_promises_are_drawn() -> None:
    drawn = [
        (target["expr"], [step["value"] for step in defaults["thresholds"]["steps"]])
        for path in FILES
        for panel in panels(path)
        for target in panel["targets"]
        if (defaults := panel["fieldConfig"]["defaults"]) and target["expr"] in PROMISES
    ]
    assert {expr for expr, _ in drawn} == set(PROMISES)
    assert [(expr, steps) for expr, steps in drawn if PROMISES[expr] not in steps] == []


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    (source,) = load(GRAFANA / "provisioning" / "datasources" / "prometheus.yml")["datasources"]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    (provider,) = load(GRAFANA / "provisioning" / "dashboards" / "voicefleet.yml")["providers"]
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    assert Path(provider["options"]["path"]).is_absolute()


def sources_in(value: object) -> Iterator[object]:
    """Yield each data source that is named, however deep."""
    match value:
        case dict():
            for key, inner in value.items():
                if key == "datasource":
                    yield inner
                else:
                    yield from sources_in(inner)
        case list():
            for inner in value:
                yield from sources_in(inner)
