"""Deploys under load, and tells whether anybody noticed: `python -m bench.deploy_drill --help`.

It starts its own Redis, livekit-server, provider, two token servers behind a balancer and two
workers. Users start one after the other, hear the greeting and leave; others hold one call all the
time. Meanwhile versions that cannot serve are rolled out, and refused; then a new version takes the
place of the old one, one process at a time. Nobody may notice: the exit status is 1 where an aim is
missed. With --careless the old ones go first, and everybody notices.
"""

from __future__ import annotations

import sys

from bench.deploy_drill.run import main

if __name__ == "__main__":
    sys.exit(main(text=__doc__))
