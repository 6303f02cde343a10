"""Draws panels side by side: bars with their figures, on a light card that suits any page.

The same panels give the same bytes, on every machine: places are fixed, the font that text is
placed by comes with the library, and no date is written. Lengths are in px of the drawing.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from itertools import cycle
from math import ceil

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.transforms import IdentityTransform

from bench.race.plot.measures import LABELS
from bench.race.plot.panels import Bar, Panel
from bench.race.plot.words import (
    READING,
    TITLE,
    beside,
    described,
    footnotes,
    ratio_of,
    sides_of,
    whisker,
)
from bench.race.sides import BARE, NAMES, OPENRTC, OURS, PLAIN, THREADS

WIDTH = 900
_COLUMNS = 3
_EDGE = 24
_LABELS = 92
_GAP = 22
PANEL_WIDTH = (WIDTH - 2 * _EDGE - _LABELS - (_COLUMNS - 1) * _GAP) / _COLUMNS
#: What the longest bar, with its whisker, has of a panel's width; figures have the rest.
_LONGEST = 0.57
_HEAD, _PANEL_HEAD, _BAR, _BELOW, _LINE = 78, 38, 23, 22, 18
#: The library counts in points: at this a point is a px.
_DPI = 72

#: Those of ours are of one kind, told apart by how dark they are.
_OURS = ("#8ec1fb", "#2f6fe4", "#1e3a8a")
_COLOURS = {PLAIN: "#94a3b8", OPENRTC: "#e08a3c", THREADS: "#64748b", BARE: "#cbd5e1"} | dict(
    zip((name for name in NAMES if name in OURS), cycle(_OURS), strict=False)
)
_CARD, _BORDER, _AXIS, _INK, _SOFT = "#ffffff", "#cbd5e1", "#94a3b8", "#0f172a", "#475569"
#: The library's own font places the text; the page's shows it.
_PLACED_BY = "DejaVu Sans"
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "race", "font.family": _PLACED_BY}
#: Of what the library would write about itself and the day.
_NOTHING = {"Date": None, "Creator": None, "Format": None, "Type": None}


def draw(panels: Sequence[Panel]) -> str:
    """Return the drawing of some panels as an SVG."""
    sides, notes = sides_of(panels), footnotes(panels)
    row_height = _PANEL_HEAD + _BAR * len(sides) + _BELOW
    rows = ceil(len(panels) / _COLUMNS)
    height = _HEAD + rows * row_height + _LINE * len(notes) + _EDGE - _BELOW // 2
    with style.context(_STYLE, after_reset=True):
        sheet = _Sheet(height)
        sheet.text(_EDGE, 36, TITLE, size=18, weight="bold")
        sheet.text(_EDGE, 57, READING, color=_SOFT)
        for number, panel in enumerate(panels):
            row, column = divmod(number, _COLUMNS)
            top = _HEAD + row * row_height
            if column == 0:
                for place, side in enumerate(sides):
                    middle = top + _PANEL_HEAD + _BAR * (place + 0.5)
                    sheet.text(_EDGE, middle + 4, LABELS[side])
            sheet.panel(panel, sides, left=_EDGE + _LABELS + column * (PANEL_WIDTH + _GAP), top=top)
        for place, note in enumerate(notes):
            sheet.text(_EDGE, _HEAD + rows * row_height + _LINE * place + 4, note, color=_SOFT)
        return _accessible(sheet.svg(), height, described(panels))


class _Sheet:
    """A figure whose places are counted in px from the left and from the top."""

    def __init__(self, height: int) -> None:
        self._height = height
        self._figure = Figure(figsize=(WIDTH / _DPI, height / _DPI), dpi=_DPI)
        self._figure.patch.set_visible(False)
        self._figure.add_artist(
            FancyBboxPatch(
                (1, 1),
                WIDTH - 2,
                height - 2,
                boxstyle="round,pad=0,rounding_size=10",
                transform=IdentityTransform(),
                facecolor=_CARD,
                edgecolor=_BORDER,
                zorder=-1,
            )
        )

    def text(
        self,
        left: float,
        baseline: float,
        text: str,
        *,
        size: float = 12,
        weight: str = "normal",
        color: str = _INK,
    ) -> None:
        self._figure.text(
            left / WIDTH,
            1 - baseline / self._height,
            text,
            fontsize=size,
            fontweight=weight,
            color=color,
            va="baseline",
        )

    def panel(self, panel: Panel, sides: Sequence[str], *, left: float, top: float) -> None:
        self.text(left, top + 12, panel.measure.title, size=13, weight="bold")
        self.text(left, top + 28, panel.measure.about, size=11, color=_SOFT)
        bars = _BAR * len(sides)
        bottom = top + _PANEL_HEAD + bars
        place = (left / WIDTH, 1 - bottom / self._height, PANEL_WIDTH / WIDTH, bars / self._height)
        axes = self._figure.add_axes(place)
        axes.set_axis_off()
        longest = max(map(_reach, panel.bars.values()), default=0.0)
        axes.set_xlim(0, (longest or 1.0) / _LONGEST)
        axes.set_ylim(len(sides) - 0.5, -0.5)
        axes.axvline(0, color=_AXIS, linewidth=1, clip_on=False)
        for number, side in enumerate(sides):
            _draw_side(axes, panel, side, number)

    def svg(self) -> str:
        file = io.StringIO()
        self._figure.savefig(file, format="svg", metadata=_NOTHING)
        return file.getvalue()


def _reach(bar: Bar) -> float:
    """Return where a bar ends, its whisker included."""
    return max(bar.value or 0.0, (whisker(bar) or (0.0, 0.0))[1])


def _draw_side(axes: Axes, panel: Panel, side: str, place: int) -> None:
    bar = panel.bars.get(side)
    ends_at, is_drawn = 0.0, False
    if bar is not None and bar.value is not None:
        gid = f"bar-{panel.measure.key}-{side}"
        _draw_bar(axes, bar, bar.value, place, colour=_COLOURS[side], gid=gid)
        ends_at, is_drawn = max(_reach(bar), 0.0), True
    axes.annotate(
        beside(panel, side),
        (ends_at, place),
        xytext=(6, -4),
        textcoords="offset points",
        fontsize=12,
        fontweight="bold" if is_drawn else "normal",
        fontstyle="normal" if is_drawn else "italic",
        color=_INK if is_drawn else _SOFT,
        annotation_clip=False,
    )
    axes.annotate(
        ratio_of(panel, side),
        (1.0, place),
        xycoords=("axes fraction", "data"),
        xytext=(0, -4),
        textcoords="offset points",
        fontsize=12,
        color=_SOFT,
        ha="right",
        annotation_clip=False,
    )


def _draw_bar(axes: Axes, bar: Bar, value: float, place: int, *, colour: str, gid: str) -> None:
    # What is less than nothing, as noise can make it of an idle worker's, is said only.
    (drawn,) = axes.barh(place, max(value, 0.0), 0.62, color=colour, clip_on=False)
    drawn.set_gid(gid)
    if (ends := whisker(bar)) is None:
        return
    axes.errorbar(
        value,
        place,
        xerr=[[value - ends[0]], [ends[1] - value]],
        fmt="none",
        ecolor=_INK,
        elinewidth=1.2,
        capsize=3,
    )


def _accessible(svg: str, height: int, text: str) -> str:
    """Give a drawing a size in px, a title, a description, and the fonts of the page."""
    _, _, content = svg[svg.index("<svg") :].partition(">")
    content = content.replace(f"'{_PLACED_BY}'", "system-ui, sans-serif")
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-labelledby="title description">\n'
        f'<title id="title">{escape(TITLE, quote=False)}</title>\n'
        f'<desc id="description">{escape(text, quote=False)}</desc>{content}'
    )
