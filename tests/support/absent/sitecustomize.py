"""Makes modules missing, as in an installation without an extra.

Python runs a file of this name at its start, when its folder is in PYTHONPATH. ABSENT_MODULES names
them, with spaces between.
"""

from __future__ import annotations

import os
import sys

for _name in os.environ.get("ABSENT_MODULES", "").split():  # noqa: TID251 - nothing else is there
    sys.modules[_name] = None  # type: ignore[assignment]
