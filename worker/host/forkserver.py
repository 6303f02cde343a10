"""The process that all job processes are forked from, itself forked from the worker.

multiprocessing starts it as a new Python, which imports the framework and the provider's client
once more (3 s on a slow core), before the first job process can be forked. Forked from the worker
it has them, and shares their memory. It must be forked early: before there are threads or an event
loop, a connection or a log handler, as job processes inherit whatever there is.

Only Python's way to start the process is replaced (`multiprocessing.util.spawnv_passfds`, not
public); the process itself is Python's. If it dies, Python starts another one in its usual way.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from multiprocessing import forkserver, resource_tracker, util
from typing import NoReturn

#: What livekit-agents adds to the modules of its own accord (`AgentServer.run`, 1.8.9). The last
#: one freezes what is there, so that it stays shared.
OF_THE_FRAMEWORK = ("livekit.agents.ipc._preload", "livekit.agents.ipc._preload_freeze")
_STANDARD_STREAMS = 3
_STANDARD_ERROR = 2


def fork_forkserver(modules: Sequence[str]) -> int | None:
    """Start it from what this process has imported; it imports these modules, too.

    Returns the end of a pipe where all that job processes write to standard error comes out. Does
    nothing, and returns None, where livekit-agents does not fork them (other systems than Linux).
    """
    if not sys.platform.startswith("linux"):
        return None
    # Would be started in the same way, but is to be a process of its own.
    resource_tracker.ensure_running()
    # The garbage collector writes into whatever it looks at: memory would soon be shared no more.
    gc.collect()
    gc.freeze()
    forkserver.set_forkserver_preload([*modules, *OF_THE_FRAMEWORK])
    errors, their_errors = os.pipe()
    # Where nobody reads any more, words are lost: no call may wait for them to be read.
    os.set_blocking(their_errors, False)
    usual = util.spawnv_passfds
    util.spawnv_passfds = partial(_fork, their_errors)
    try:
        forkserver.ensure_running()
    finally:
        util.spawnv_passfds = usual
        os.close(their_errors)
    return errors


def _fork(errors: int, _program: bytes, arguments: Sequence[str], passed: Sequence[int]) -> int:
    """Fork instead of starting a program `python … -c code`, whose code is run in the fork."""
    code = arguments[-1]
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _run(code, passed, errors)
    return pid


def _run(code: str, passed: Sequence[int], errors: int) -> NoReturn:
    status = 1
    try:
        os.dup2(errors, _STANDARD_ERROR)
        # Above all the end of the pipe that tells it that the worker is gone.
        _close_all_but(passed)
        exec(code, {})  # noqa: S102 - Python's own, it was to be run with `-c`
        status = 0
    except SystemExit:
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it is, it must not get into the worker's code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        # Nothing of what the worker would do at its end.
        os._exit(status)


def _close_all_but(passed: Sequence[int]) -> None:
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor >= _STANDARD_STREAMS and descriptor not in passed:
            # The one that the list was read from is closed already.
            with suppress(OSError):
                os.close(descriptor)
