"""Does once what would be done in each job process when it is first needed.

Imported in the process that job processes are forked from (job/hooks.py): no thread, no loop, no
connection may begin here. What is found there by `tests/integration/worker/test_first_uses.py` is
found in each call.

Private parts of livekit-agents: see host/pool.py.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import suppress

from livekit.agents import tokenize
from livekit.agents.telemetry import loop_monitor
from livekit.agents.utils import http_context
from pydantic import BaseModel

from worker.voice.clients import trust

_BLOCKED_MS = "500"
_LOOK_EVERY_S = 0.1


def _all_below(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in kind.__subclasses__():
        yield one
        yield from _all_below(one)


def preload() -> None:
    """Do it."""
    # Who is believed to be a provider, and LiveKit's API when a room is closed: 40 ms, and 30.
    # Files that cannot be read are told of where they are needed.
    with suppress(OSError):
        trust()
    with suppress(OSError):
        http_context._create_ssl_context()  # noqa: SLF001 - see above
    # What the provider's client tells of this machine, for which a program is run.
    platform.platform()
    with suppress(OSError):
        platform.freedesktop_os_release()
    # Where files of a call go, found by writing one.
    with suppress(OSError):
        tempfile.gettempdir()
    # How words are divided, from 5,000 patterns: 40 ms.
    tokenize.basic.hyphenate_word("preload")
    # Models of data that are finished when they are first used: 50 ms for all of them.
    for model in list(_all_below(BaseModel)):
        if model.__module__.startswith("livekit.") and not model.__pydantic_complete__:
            model.model_rebuild()


def watch_less_often() -> None:
    """Have the framework look a little less often for an event loop that is blocked.

    It looks fifty times a second, from two threads, in each process, which takes 0.014 of a core
    there, with a call or without (docs/benchmarks.md). Looking ten times a second it still tells of
    blocks of half a second, with the stack. Who looks for shorter ones sets
    LIVEKIT_AGENTS_LOOP_BLOCK_WARN_MS: it looks five times in that time.
    """
    # Written here because the framework reads it, which knows no other way.
    os.environ.setdefault(loop_monitor.ENV_WARN_THRESHOLD_MS, _BLOCKED_MS)  # noqa: TID251
    loop_monitor._MAX_TICK_INTERVAL = _LOOK_EVERY_S  # noqa: SLF001 - see above


preload()
watch_less_often()
