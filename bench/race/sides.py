"""Who races: a plain worker, OpenRTC, ours in its kinds, and others if asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.race.openrtc_environment import openrtc_python
from bench.race.words import GREETING, INSTRUCTIONS
from devstack.errors import DevstackError
from devstack.settings import REPO
from devstack.terminal import Terminal

POOL_SIZE = 3
PLAIN, OPENRTC, PROCESS, SHARED = "plain", "openrtc", "process", "shared"
#: Those that race unless others are named.
DEFAULT = (PLAIN, OPENRTC, PROCESS, SHARED)
#: Plain calls in threads of several workers: the way that was not taken (docs/adr/008).
THREADS = "threads"
#: Joins and sounds a tone, and nothing else: the floor of starts.
BARE = "bare"
NAMES = (*DEFAULT, THREADS, BARE)
#: Those of ours.
OURS = frozenset({PROCESS, SHARED})
_SESSIONS_PER_PROCESS = "8"
_CHILDREN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A kind of worker."""

    name: str
    argv: tuple[str, ...]
    #: What answers once it runs, and once it is warm.
    alive_path: str = "/"
    ready_path: str = "/"
    variables: Mapping[str, str] = field(default_factory=dict)
    #: Each call takes a warm process, and another one takes its place.
    has_process_each: bool = False
    #: How many workers of it LiveKit gets to know.
    workers: int = 1

    @property
    def is_ours(self) -> bool:
        """Whether its calls are sessions of the store."""
        return self.name in OURS


def sides(names: Sequence[str], env: Mapping[str, str], terminal: Terminal) -> list[Side]:
    """Return the sides of these names, without OpenRTC where it cannot be installed."""
    found = []
    for name in dict.fromkeys(names):
        if name == PLAIN:
            argv = (sys.executable, "-m", "bench.race.plain_side", "start")
            found.append(Side(name=name, argv=argv, has_process_each=True))
        elif name == THREADS:
            found.append(_threads())
        elif name == BARE:
            argv = (sys.executable, "-m", "bench.race.bare_side", "start")
            found.append(Side(name=name, argv=argv))
        elif name in OURS:
            found.append(_ours(name))
        else:
            try:
                found.append(_openrtc(openrtc_python(env, terminal)))
            except DevstackError as error:
                terminal.warning(f"without {name}: its environment cannot be made: {error}")
    return found


def _threads() -> Side:
    return Side(
        name=THREADS,
        argv=(sys.executable, "-m", "bench.race.threads_side", "start"),
        variables={"RACE_CHILDREN": str(_CHILDREN)},
        workers=_CHILDREN,
    )


def _openrtc(python: Path) -> Side:
    # -P: the folder of the script is no place to import from.
    script = REPO / "bench" / "race" / "openrtc_side.py"
    variables = {
        "RACE_GREETING": GREETING,
        "RACE_INSTRUCTIONS": INSTRUCTIONS,
        # Its onnxruntime calls out otherwise: see localvoice/__init__.py.
        "ORT_DISABLE_TELEMETRY": "1",
    }
    return Side(name=OPENRTC, argv=(str(python), "-P", str(script), "start"), variables=variables)


def _ours(name: str) -> Side:
    variables = {
        "ISOLATION": name,
        "AGENT_GREETS_FIRST": "true",
        "AGENT_GREETING": GREETING,
        "AGENT_INSTRUCTIONS": INSTRUCTIONS,
        # As all who race; by default it is a model, which costs time and memory, and cuts off less.
        "TURN_DETECTION": "vad",
        # Those who say nothing for a while are measured, and not to be asked about it.
        "USER_AWAY_AFTER_S": "3600",
    }
    if name == SHARED:
        variables["SESSIONS_PER_PROCESS"] = _SESSIONS_PER_PROCESS
    return Side(
        name=name,
        argv=(sys.executable, "-m", "worker"),
        alive_path="/healthz",
        ready_path="/readyz",
        variables=variables,
        has_process_each=name == PROCESS,
    )
