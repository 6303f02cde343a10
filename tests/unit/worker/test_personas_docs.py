"""The page about personas tells every key that a file may have."""

from __future__ import annotations

import re

from devstack.settings import REPO
from worker.personas.persona import Persona

PAGE = REPO / "docs" / "personas.md"


def test_every_key_is_in_the_table_and_no_other() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("| Key |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [*_in_order()]


def _in_order() -> list[str]:
    """Return the keys as the table has them: what has a default of the settings comes last."""
    keys = [name for name in Persona.model_fields if name not in {"back", "apology"}]
    return [*keys, "back", "apology"]
