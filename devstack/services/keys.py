"""The secrets of one checkout's stack: made once, kept in `.run/secrets.json`, never shown."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self

from devstack.files import read_json, write_private

LIVEKIT_KEY_NAME = "voicefleet"
"""The API key's name, as livekit.yaml's webhook section has it. A name, not a secret."""


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What the services of one stack trust each other by."""

    livekit_api_key: str = LIVEKIT_KEY_NAME
    livekit_api_secret: str = field(repr=False)
    admin_key: str = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """Make new ones."""
        return cls(
            livekit_api_secret=secrets.token_urlsafe(36), admin_key=secrets.token_urlsafe(24)
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the keys, or make and keep them; a damaged file is replaced.

        Callers hold the stack's lock: nobody else reads or writes the file meanwhile.
        """
        stored = read_json(path) or {}
        known = {one.name for one in fields(cls)}
        if stored.keys() == known and all(isinstance(value, str) for value in stored.values()):
            path.chmod(0o600)
            return cls(**{name: str(value) for name, value in stored.items()})
        keys = cls.generate()
        write_private(path, json.dumps(asdict(keys), indent=2) + "\n")
        return keys
