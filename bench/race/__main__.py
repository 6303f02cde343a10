"""Measures workers against each other: `python -m bench.race --help`.

It starts its own Redis, livekit-server and provider, and races a plain worker as LiveKit's starter
has it, OpenRTC, and ours, all in turns in the same run: machines differ, ratios less.
"""

from __future__ import annotations

import sys

from bench.race.run import main

if __name__ == "__main__":
    sys.exit(main(text=__doc__))
