# This file must parse on every Python, to say which one is needed: no annotations, no f-strings.
"""What `make` runs: prepare the virtual environment, then run the task in it."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - older ones are who this is for
    found = ".".join(str(part) for part in sys.version_info[:3])
    sys.exit(
        "Python 3.11 or later is needed, this is " + found + ": install one, "
        "or name it, as in `make PYTHON=python3.12 run`."
    )

from devstack.install.preparation import main

if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
