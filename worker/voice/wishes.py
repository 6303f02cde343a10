"""What comes up in a conversation that concerns the call itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Wishes:
    """Belongs to one conversation; tools may change it, as `RunContext.userdata`."""

    hang_up: bool = False
