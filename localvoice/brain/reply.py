"""What a skill can answer with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Say:
    """Words to speak."""

    text: str


@dataclass(frozen=True)
class Call:
    """A tool to call, with its arguments."""

    tool_name: str
    arguments: Mapping[str, Any]


Reply = Say | Call
