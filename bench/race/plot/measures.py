"""What of the race is drawn: a panel for each measure, in this order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.race.burst import USERS
from bench.race.figures import OF_PLAIN
from bench.race.sides import NAMES, OPENRTC, OURS

#: The sides as the drawing names them, in its order.
LABELS: Mapping[str, str] = {
    name: f"ours, {name}" if name in OURS else {OPENRTC: "OpenRTC"}.get(name, name)
    for name in NAMES
}
#: Tables of the race that are known, and not drawn.
UNDRAWN = frozenset({"cost"})
#: Row of a table that counts the users who got an agent in the worst round.
SERVED = "served, fewest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A kind of figure, and where the tables have it."""

    key: str
    title: str
    #: What the figure is of, in a few words.
    about: str
    part: str
    #: Rows are named "<row>: <side>"; where it is empty, by the side alone.
    row: str
    column: str = "median"
    ratio: str = OF_PLAIN
    #: What is said in the place of a bar where there is no figure.
    missing: str = "not served"
    #: How many users come in a round of which the table counts those that were served; 0: it
    #: does not.
    users: int = 0

    def row_of(self, side: str) -> str:
        """Return the name of a side's row."""
        return f"{self.row}: {side}" if self.row else side


def _burst(key: str, title: str, part: str) -> Measure:
    return Measure(
        key=key,
        title=title,
        about=f"p90 of {USERS} at once, until an agent is in",
        part=part,
        row="active, p90 ms",
        missing="not all served",
        users=USERS,
    )


MEASURES = (
    Measure(
        key="track",
        title="Agent's track, ms",
        about="from asking LiveKit for the room",
        part="start",
        row="track ms",
    ),
    Measure(
        key="greeting",
        title="First sound of the greeting, ms",
        about="from asking LiveKit for the room",
        part="start",
        row="greeting ms",
    ),
    Measure(
        key="start-cpu",
        title="CPU of a start, s",
        about="until greeted, and the pool is full again",
        part="start",
        row="CPU s, refilled",
    ),
    _burst("burst-warm", "Burst on a warm worker, ms", "burst"),
    _burst("burst-new", "Burst on a new worker, ms", "burst, just registered"),
    Measure(
        key="response",
        title="Response, ms",
        about="first sound, less the provider's own time",
        part="talk",
        row="response ms",
        missing="not answered",
    ),
    Measure(
        key="silent",
        title="Silent session, cores",
        about="the user has no microphone",
        part="rest",
        row="cores, a silent session",
    ),
    Measure(
        key="quiet",
        title="Quiet session, cores",
        about="microphone open, nobody speaks",
        part="rest",
        row="cores, a quiet session",
    ),
    Measure(
        key="talking",
        title="Talking session, cores",
        about="in turns with the agent, all the time",
        part="talk",
        row="cores, a session",
    ),
    Measure(
        key="memory",
        title="Memory of a session, MB",
        about="PSS, less that of the idle worker",
        part="rest",
        row="PSS MB, a session",
    ),
    Measure(
        key="held",
        title="Sessions held (more is better)",
        about="users who come one by one, and stay",
        part="hold",
        row="",
        column="held",
        ratio="held, of plain",
    ),
)
