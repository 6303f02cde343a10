"""Several workers of the framework under one parent, each of which runs its calls in threads:
`python -m bench.race.threads_side start`.

That is the other way to have calls share a process, by public means of livekit-agents only:
`JobExecutorType.THREAD`, which gives each call a thread with an event loop of its own. The calls
are the plain worker's (plain_calls.py). The parent imports all that a call needs and loads the
model of VAD, then forks RACE_CHILDREN workers (2), which register with LiveKit each by itself,
under the same name. So LiveKit spreads the calls over them. One that dies is started again.

Each has as many warm threads as the plain worker has warm processes. WORKER_PORT is the first
one's; those of the others are any free ones.
"""

from __future__ import annotations

import sys

# Else the first call of each child would import them; so does the framework where it forks.
import av  # noqa: F401
import openai.resources  # noqa: F401
from livekit.agents import JobExecutorType, cli, inference

from bench.race.children import Children
from bench.race.plain_calls import make_server
from devstack.settings import process_environment
from devstack.terminal import Terminal

_env = process_environment()
#: Whoever stops the parent waits for 10 s.
_ENDS_WITHIN_S = 8.0


def serve(number: int) -> None:
    """Be one of the workers until SIGTERM."""
    port = int(_env.get("WORKER_PORT", "0")) if number == 0 else 0
    cli.run_app(make_server(JobExecutorType.THREAD, port=port))


def main() -> int:
    """Run the parent until SIGTERM; return 0 when its children ended in order."""
    # The model stays in the process once one was made.
    inference.VAD(model="silero")
    children = Children(
        serve,
        int(_env.get("RACE_CHILDREN", "2")),
        ends_within_s=_ENDS_WITHIN_S,
        tell=Terminal(_env, sys.stderr).line,
    )
    return children.run()


if __name__ == "__main__":
    sys.exit(main())
