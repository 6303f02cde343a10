"""The fenced blocks of the documentation's pages, as they stand."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from devstack.settings import REPO

_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block. `page` is its path in the checkout, `line` where it begins."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str, *languages: str) -> list[Block]:
    """Return the blocks of a page in their order: those in some languages, or all of them."""
    text = (REPO / Path(page)).read_text(encoding="utf-8")
    found = [
        Block(
            page=page,
            line=text.count("\n", 0, block.start()) + 1,
            language=block[2],
            text=textwrap.dedent(block[3]),
        )
        for block in _BLOCK.finditer(text)
    ]
    return [one for one in found if not languages or one.language in languages]
