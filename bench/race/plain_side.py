"""The plain worker of the race: `python -m bench.race.plain_side start`.

As LiveKit's starter has it, one process for each call; see plain_calls.py for what is set.
"""

from __future__ import annotations

from livekit.agents import JobExecutorType, cli

from bench.race.plain_calls import make_server
from devstack.settings import process_environment

server = make_server(
    JobExecutorType.PROCESS, port=int(process_environment().get("WORKER_PORT", "0"))
)


if __name__ == "__main__":
    cli.run_app(server)
