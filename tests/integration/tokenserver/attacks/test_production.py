"""In production, secrets that everybody knows are a reason not to start."""

from __future__ import annotations

import secrets
import subprocess
import sys

import pytest

from tests.support.servers import neutral_environment

GOOD = {
    "ENVIRONMENT": "production",
    "LIVEKIT_API_KEY": "APIabcdefgh",
    "LIVEKIT_API_SECRET": secrets.token_urlsafe(32),
    "ADMIN_API_KEY": secrets.token_urlsafe(32),
    # Nobody is there; the token server does not ask before it serves.
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "LIVEKIT_URL": "ws://127.0.0.1:1",
}
ENDS_WITHIN_S = 60


def outcome(**changes: str) -> subprocess.CompletedProcess[str]:
    """Run the token server to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tokenserver"],
        env=neutral_environment() | GOOD | changes,
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDS_WITHIN_S,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIVEKIT_API_KEY", "devkey"),
        ("LIVEKIT_API_SECRET", "secret"),
        ("LIVEKIT_API_SECRET", "secretsecretsecretsecretsecretsecret"),
        ("LIVEKIT_API_SECRET", "a" * 40),
        ("ADMIN_API_KEY", "short-but-16-characters"),
        ("ADMIN_API_KEY", "changeme-changeme-changeme-changeme-1234"),
        ("ADMIN_API_KEY_PREVIOUS", "an-older-short-one"),
        ("CORS_ORIGINS", '["https://app.example.com", "*"]'),
        ("CORS_ORIGINS", '["https://app.example.com", "null"]'),
    ],
    ids=lambda value: value[:30],
)
def test_production_does_not_start_with_what_everybody_knows(name: str, value: str) -> None:
    """Attack 39: a default, short or well-known secret, `*` or `null` as an origin, `devkey`.

    The process ends with status 2, names the variable, and shows no value.
    """
    done = outcome(**{name: value})
    assert done.returncode == 2, done.stderr
    assert name in done.stderr
    for secret in (value, *GOOD.values()):
        if secret not in {"production", "*", "secret"} and not secret.startswith(("redis", "ws")):
            assert secret not in done.stderr
