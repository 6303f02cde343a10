"""Does once what would be done in each job process when it is first needed.

Imported in the process that job processes are forked from (job/hooks.py): no thread, no loop, no
connection may begin here.
"""

from __future__ import annotations

from collections.abc import Iterator

from livekit.agents import tokenize
from pydantic import BaseModel


def _all_below(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in kind.__subclasses__():
        yield one
        yield from _all_below(one)


def preload() -> None:
    """Do it."""
    # How words are divided, from 5,000 patterns: 40 ms.
    tokenize.basic.hyphenate_word("preload")
    # Models of data that are finished when they are first used: 50 ms for all of them.
    for model in list(_all_below(BaseModel)):
        if model.__module__.startswith("livekit.") and not model.__pydantic_complete__:
            model.model_rebuild()


preload()
