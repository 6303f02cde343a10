"""The dashboards of deploy/grafana, and what they ask Prometheus."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from devstack.settings import REPO

GRAFANA = REPO / "deploy" / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))

#: What Grafana fills in: all workers, and an interval of many scrapes.
_FILLED = {"$__rate_interval": "5m", "$worker": ".*"}


def read(path: Path) -> dict[str, Any]:
    """Return a dashboard."""
    dashboard: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return dashboard


def panels(path: Path) -> list[dict[str, Any]]:
    """Return its panels, rows left out."""
    return [panel for panel in read(path)["panels"] if panel["type"] != "row"]


def expressions(path: Path) -> list[str]:
    """Return all that it asks Prometheus."""
    asked = [target["expr"] for panel in panels(path) for target in panel["targets"]]
    asked += [one["expr"] for one in read(path)["annotations"]["list"]]
    for variable in read(path)["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"])
            assert found is not None
            asked.append(f"count by ({found[2]}) ({found[1]})")
    return asked


def filled(expr: str) -> str:
    """Return an expression as Grafana sends it. Fails for a variable that is not known here."""
    for variable, text in _FILLED.items():
        expr = expr.replace(variable, text)
    assert "$" not in expr, expr
    return expr
