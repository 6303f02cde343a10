"""What this is. The services are run from folders too, where no package metadata tells."""

from __future__ import annotations

VERSION = "0.1.0"
