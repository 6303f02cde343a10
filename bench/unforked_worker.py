"""Our worker, but that Python starts the process that job processes are forked from in its usual
way, to compare with: `python -m bench.unforked_worker`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import worker.host.forkserver
from worker.__main__ import main


def _leave_it_to_python(modules: Sequence[str]) -> int | None:
    del modules
    return None


if __name__ == "__main__":
    worker.host.forkserver.fork_forkserver = _leave_it_to_python
    sys.exit(main())
