"""Secrets that everybody knows, or could find out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenserver.settings import TokenserverSettings

#: 32 characters of anything random are more than 128 bits.
_LEAST_CHARS = 32
_LEAST_DIFFERENT_CHARS = 10
#: `livekit-server --dev`, and what documents put where a secret belongs.
_KNOWN_KEYS = frozenset({"devkey"})
_KNOWN_WORDS = (
    "changeme",
    "change-me",
    "example",
    "secretsecret",
    "password",
    "your-",
    "placeholder",
)


def weak_secrets(settings: TokenserverSettings) -> Iterator[str]:
    """Yield what is wrong with the secrets, naming the variables and showing no value."""
    keys = {
        "LIVEKIT_API_KEY": settings.livekit_api_key,
        "LIVEKIT_PREVIOUS_API_KEY": settings.livekit_previous_api_key,
    }
    for name, key in keys.items():
        if key is not None and key.lower() in _KNOWN_KEYS:
            yield f"{name} is the one of livekit-server --dev"
    secrets = {
        "LIVEKIT_API_SECRET": settings.livekit_api_secret,
        "LIVEKIT_PREVIOUS_API_SECRET": settings.livekit_previous_api_secret,
        "ADMIN_API_KEY": settings.admin_api_key,
        "ADMIN_API_KEY_PREVIOUS": settings.admin_api_key_previous,
    }
    for name, secret in secrets.items():
        if secret is None:
            continue
        text = secret.get_secret_value()
        if len(text) < _LEAST_CHARS or len(set(text)) < _LEAST_DIFFERENT_CHARS:
            yield f"{name} needs {_LEAST_CHARS} random characters"
        elif any(word in text.lower() for word in _KNOWN_WORDS):
            yield f"{name} is a well-known one"
