"""The race drawn: figures are found in what the race writes, and each of them is seen or said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from bench.race.burst import Burst, burst_table
from bench.race.hold import Hold, hold_tables
from bench.race.plot.__main__ import main
from bench.race.plot.drawing import PANEL_WIDTH, draw
from bench.race.plot.measures import MEASURES, Measure
from bench.race.plot.panels import NoFigures, Panel, read_panels
from bench.race.plot.words import TIMES
from bench.race.rest import Rest, rest_tables
from bench.race.sides import NAMES
from bench.race.start import Start, start_tables
from bench.race.talk import Talk, talk_tables
from bench.table import Row, Table
from devstack.settings import REPO, process_environment

#: What the sides take of what the plain worker does.
FACTORS = {name: {"plain": 1.0, "openrtc": 0.75, "shared": 0.5}.get(name, 0.7) for name in NAMES}
SVG = "{http://www.w3.org/2000/svg}"


def starts(*sides: str) -> list[Table]:
    return start_tables({side: [start(FACTORS[side]), start(2 * FACTORS[side])] for side in sides})


def start(factor: float) -> Start:
    return Start(
        track_ms=800 * factor,
        greeting_ms=900 * factor,
        refilled_cpu_s=1.2 * factor,
        ended_cpu_s=2 * factor,
    )


def bursts() -> list[Table]:
    """All are served by ours; OpenRTC serves six each time, the plain worker once."""
    full, six = Burst(active_ms=[900.0] * 10), Burst(active_ms=[900.0] * 6)
    found = {name: [full] for name in NAMES} | {"plain": [full, six], "openrtc": [six, six]}
    return [burst_table(found, "warm"), burst_table(found, "new")]


def all_tables() -> list[Table]:
    rests = {
        side: [
            Rest(
                sessions=4,
                idle_cores=0.1,
                idle_pss_mb=100,
                cores=0.1 + 0.6 * factor,
                silent_cores=0.1 + 0.2 * factor,
                pss_mb=100 + 160 * factor,
            )
        ]
        for side, factor in FACTORS.items()
    }
    talks = {
        side: [Talk(session_cores=0.2, response_ms=[700.0 * factor], provider_ms=3, unanswered=0)]
        for side, factor in FACTORS.items()
    }
    holds = {side: Hold(asked=50, held=int(10 / factor)) for side, factor in FACTORS.items()}
    return [
        *starts(*NAMES),
        *bursts(),
        *rest_tables(rests),
        *talk_tables(talks),
        *hold_tables(holds),
    ]


def written(file: Path, tables: Sequence[Table]) -> Path:
    file.write_text(json.dumps([table.as_json() for table in tables]), encoding="utf-8")
    return file


def panels_of(folder: Path, tables: Sequence[Table]) -> dict[str, Panel]:
    panels, notes = read_panels([written(folder / "race.json", tables)])
    assert notes == []
    return {panel.measure.key: panel for panel in panels}


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - drawn by ourselves


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in parsed(svg).iter(f"{SVG}text")]


def bars(svg: str) -> set[str]:
    ids = {one.get("id", "") for one in parsed(svg).iter(f"{SVG}g")}
    return {one for one in ids if one.startswith("bar-")}


def test_every_measure_is_found_in_what_the_race_writes(tmp_path: Path) -> None:
    panels = panels_of(tmp_path, all_tables())

    assert list(panels) == [measure.key for measure in MEASURES]
    assert all(tuple(panel.bars) == NAMES for panel in panels.values())
    track = panels["track"].bars["shared"]
    assert (track.value, track.lowest, track.highest, track.of_plain) == (600, 400, 800, 0.5)
    held = panels["held"].bars["shared"]
    assert (held.value, held.lowest, held.of_plain) == (20, None, 2)
    assert panels["burst-warm"].bars["openrtc"].value is None
    assert panels["burst-warm"].bars["openrtc"].fewest_served == 6
    assert panels["memory"].bars["plain"].fewest_served is None


def test_parts_may_be_in_files_of_their_own_and_the_last_one_counts(tmp_path: Path) -> None:
    first = written(tmp_path / "first.json", starts("plain", "shared"))
    second = written(tmp_path / "second.json", starts("shared"))
    third = written(tmp_path / "third.json", bursts())

    panels, notes = read_panels([first, second, third])

    assert [panel.measure.part for panel in panels][-2:] == ["burst", "burst, just registered"]
    assert list(panels[0].bars) == ["shared"]
    assert notes[0] == f"Agent's track, ms: that of {second}, not {first}"


def test_what_is_no_part_of_the_race_is_skipped_and_told(tmp_path: Path) -> None:
    other = Table(part="soak", question="?", rows=[Row(name="growth", figures={"MB": 1.0})])
    # Another benchmark has a part of this name, too, with other rows.
    same_name = Table(part="burst", question="?", rows=[Row(name="p90", figures={"median": 1.0})])
    file = written(tmp_path / "race.json", [other, same_name, *starts("plain")])

    panels, notes = read_panels([file])

    assert len(panels) == 3
    assert notes == [
        f"{file}: skipped soak, which is no part of the race",
        f"{file}: skipped burst, which is no part of the race",
    ]
    with pytest.raises(NoFigures, match=r"no figures of the race in .*: `make bench-full`"):
        read_panels([written(file, [other])])


@pytest.mark.parametrize("text", ["no JSON", "{}", '[{"part": "start"}]', "[1]"])
def test_what_holds_no_tables_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "figures.json"
    file.write_text(text)
    with pytest.raises(NoFigures, match=r"figures\.json: holds no tables of a benchmark; `make"):
        read_panels([file])


def test_every_side_has_a_bar_and_its_figure(tmp_path: Path) -> None:
    panels = panels_of(tmp_path, all_tables())

    svg = draw(list(panels.values()))

    unserved = {"bar-burst-warm-openrtc", "bar-burst-new-openrtc"}
    every = {f"bar-{measure.key}-{side}" for measure in MEASURES for side in NAMES}
    assert bars(svg) == every - unserved
    assert {"1,200", "600", f"0.50{TIMES}", f"2.00{TIMES}"} <= set(texts(svg))


def test_missing_values_are_said_and_not_drawn(tmp_path: Path) -> None:
    panels = panels_of(tmp_path, [*starts("plain", "shared"), *bursts()])

    svg = draw(list(panels.values()))

    shown = texts(svg)
    assert shown.count("not all served*") == 2
    # Of the rounds of the plain worker, one has a p90.
    assert shown.count("900*") == 2
    assert (
        "* Burst on a warm worker, served in the worst round, of 10: plain 6; OpenRTC 6." in shown
    )
    # Of the starts there are two sides.
    assert shown.count("not measured") == (len(NAMES) - 2) * 3
    assert not bars(svg) & {"bar-burst-warm-openrtc", "bar-track-openrtc", "bar-track-process"}


def test_nobody_served_at_all_can_be_drawn(tmp_path: Path) -> None:
    panels = panels_of(tmp_path, start_tables({"plain": [Start()], "shared": [Start()]}))

    svg = draw(list(panels.values()))

    assert bars(svg) == set()
    assert texts(svg).count("not served") == 2 * 3


def test_the_drawing_tells_what_it_shows(tmp_path: Path) -> None:
    root = parsed(draw(list(panels_of(tmp_path, all_tables()).values())))

    assert root.get("role") == "img"
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    told = description.text or ""
    assert f"plain 1,200 (800 to 1,600); OpenRTC 900 (600 to 1,200) 0.75{TIMES};" in told
    assert "OpenRTC not all served*;" in told
    assert all(measure.title in told for measure in MEASURES)


def test_the_same_figures_give_the_same_bytes(tmp_path: Path) -> None:
    """Another process draws them, with other hashes and on another day."""
    file, out = written(tmp_path / "race.json", all_tables()), tmp_path / "race.svg"
    subprocess.run(
        [sys.executable, "-m", "bench.race.plot", str(file), "--out", str(out)],
        cwd=REPO,
        env={**process_environment(), "PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "86400"},
        check=True,
        timeout=100,
    )
    panels, _ = read_panels([file])

    assert out.read_text(encoding="utf-8") == draw(panels)
    assert "1970" not in draw(panels)


def test_it_loads_nothing_from_the_network(tmp_path: Path) -> None:
    svg = draw(list(panels_of(tmp_path, starts(*NAMES)).values()))

    assert "DejaVu" not in svg
    assert "system-ui, sans-serif" in svg
    links = [value for one in parsed(svg).iter() for value in one.attrib.values()]
    assert [one for one in links if "://" in one or one.startswith("data:")] == []


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.key)
def test_the_words_above_a_panel_fit(measure: Measure) -> None:
    for text, size, weight in ((measure.title, 13, "bold"), (measure.about, 11, "normal")):
        font = FontProperties(family="DejaVu Sans", weight=weight)
        assert TextPath((0, 0), text, size=size, prop=font).get_extents().width <= PANEL_WIDTH


def test_what_cannot_be_read_or_written_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing, out = tmp_path / "missing.json", tmp_path / "no folder" / "race.svg"
    assert main([str(missing)]) == 1
    assert f"{missing}: no such file; `make bench-full`" in capsys.readouterr().err

    assert main([str(tmp_path)]) == 1
    assert f"{tmp_path}: cannot be read: {os.strerror(21)}" in capsys.readouterr().err

    assert main([str(written(tmp_path / "race.json", starts("plain"))), "--out", str(out)]) == 1
    assert f"{out}: cannot be written" in capsys.readouterr().err


def test_notes_are_shown_with_what_was_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Table(part="soak", question="?", rows=[])
    file, out = written(tmp_path / "race.json", [*starts("plain"), other]), tmp_path / "race.svg"

    assert main([str(file), "--out", str(out)]) == 0

    told = capsys.readouterr().err
    assert "skipped soak" in told
    assert f"3 panels: {out}" in told
    assert out.read_text(encoding="utf-8").startswith("<svg ")
