"""The race in words: what stands beside the bars, below them, and for those who see none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.race.plot.measures import LABELS
from bench.race.plot.panels import Bar, Panel
from bench.race.sides import PLAIN

#: The multiplication sign.
TIMES = "\u00d7"
TITLE = "A race of workers"
READING = (
    f"Bars: medians. Lines: lowest to highest. {TIMES}: share of the plain worker's. "
    "Less is better, except for sessions held."
)
NO_P90 = (
    "A round in which more than one in ten were not served has no p90, and is not in the median."
)
UNMEASURED = "not measured"
_STAR = "*"


def sides_of(panels: Sequence[Panel]) -> list[str]:
    """Return the sides that raced in any of them, in their order."""
    return [side for side in LABELS if any(side in panel.bars for panel in panels)]


def beside(panel: Panel, side: str) -> str:
    """Return the figure, or why there is none; with a star where not all users were served."""
    bar = panel.bars.get(side)
    if bar is None:
        return UNMEASURED
    text = panel.measure.missing if bar.value is None else shown(bar.value)
    return text + _STAR if panel.is_short(side) else text


def ratio_of(panel: Panel, side: str) -> str:
    """Return how a side compares with the plain one; nothing for that itself."""
    bar = panel.bars.get(side)
    if side == PLAIN or bar is None or bar.of_plain is None:
        return ""
    return f"{bar.of_plain:.2f}{TIMES}" if bar.of_plain < 10 else f"{bar.of_plain:.0f}{TIMES}"


def footnotes(panels: Sequence[Panel]) -> list[str]:
    """Say who did not serve everybody, for each panel where that happened."""
    notes = []
    for panel in panels:
        short = [
            f"{LABELS[side]} {bar.fewest_served}"
            for side, bar in panel.bars.items()
            if panel.is_short(side)
        ]
        if short:
            kind = panel.measure.title.rsplit(",", 1)[0]
            of = f"served in the worst round, of {panel.measure.users}"
            notes.append(f"{_STAR} {kind}, {of}: {'; '.join(short)}.")
    return [*notes, NO_P90] if notes else []


def described(panels: Sequence[Panel]) -> str:
    """Return all figures as text, for those who do not see the drawing."""
    sides = sides_of(panels)
    parts = [
        f"{panel.measure.title} ({panel.measure.about}): "
        + "; ".join(" ".join(_words(panel, side)) for side in sides)
        + "."
        for panel in panels
    ]
    return " ".join([READING, *parts, *footnotes(panels)])


def shown(value: float) -> str:
    """Write a figure with as many digits as tell something."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    # Two digits of what is small: thousandths of a core are what calls differ by.
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def _words(panel: Panel, side: str) -> Iterator[str]:
    yield LABELS[side]
    yield beside(panel, side)
    bar = panel.bars.get(side)
    if bar is not None and (ends := whisker(bar)) is not None:
        yield f"({shown(ends[0])} to {shown(ends[1])})"
    if ratio := ratio_of(panel, side):
        yield ratio


def whisker(bar: Bar) -> tuple[float, float] | None:
    """Return the lowest and the highest; None where there is nothing between them."""
    if bar.value is None or bar.lowest is None or bar.highest is None:
        return None
    return (bar.lowest, bar.highest) if bar.lowest < bar.highest else None
