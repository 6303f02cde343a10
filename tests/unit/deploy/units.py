"""systemd's unit files, as far as ours go: sections of `Name=value`, names that may come again."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.unit.deploy.manifests import ROOT

SYSTEMD = ROOT / "deploy" / "systemd"
SERVICES = sorted(SYSTEMD.glob("*.service"))
Unit = Mapping[tuple[str, str], Sequence[str]]
_SECONDS = {"": 1, "s": 1, "min": 60, "h": 3600}


def read_unit(text: str) -> Unit:
    """Return the values of each name by section. Raises ValueError for what is neither."""
    values: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    section = ""
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if found := re.fullmatch(r"\[(\w+)\]", line):
            section = found[1]
        elif found := re.fullmatch(r"(\w+)=(.*)", line):
            values[section, found[1]].append(found[2])
        else:
            raise ValueError(f"not a line of a unit: {line}")
    return values


def last(unit: Unit, name: str) -> str:
    """Return the value of a service's setting that counts; empty without any."""
    return (unit.get(("Service", name)) or [""])[-1]


def seconds(span: str) -> float:
    """Return a span of time, as `11min`. Raises ValueError for what systemd would not take."""
    found = re.fullmatch(r"(\d+)(s|min|h|)", span)
    if found is None:
        raise ValueError(f"no span of time: {span!r}")
    return int(found[1]) * _SECONDS[found[2]]


def load(name: str) -> Unit:
    """Read one of ours."""
    return read_unit((SYSTEMD / name).read_text(encoding="utf-8"))


def instance(path: Path) -> str:
    """Return the name that systemd is asked for: of a template that of an instance."""
    return path.name.replace("@.", "@8081.")
