"""Signatures of the Standard Webhooks spec (https://www.standardwebhooks.com), version 1.

Its own package signs with one secret only, and takes for one whatever resembles base64. While a
secret is replaced, messages carry a signature by each of the two.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

_PREFIX = "whsec_"
_FEWEST_BYTES, _MOST_BYTES = 24, 64


class BadSecret(ValueError):
    """Raised for a text that is no secret; the text is not repeated."""


def read_secrets(text: str) -> tuple[bytes, ...]:
    """Return the secrets in a text, which spaces divide. Raises BadSecret."""
    secrets = tuple(_read_secret(part) for part in text.split())
    if not secrets:
        raise BadSecret("there is none")
    return secrets


def _read_secret(text: str) -> bytes:
    if not text.startswith(_PREFIX):
        raise BadSecret(f"a secret begins with {_PREFIX}")
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise BadSecret(f"what follows {_PREFIX} is base64") from None
    if not _FEWEST_BYTES <= len(secret) <= _MOST_BYTES:
        raise BadSecret(f"a secret has {_FEWEST_BYTES} to {_MOST_BYTES} bytes")
    return secret


def sign(secrets: Sequence[bytes], message_id: str, at_s: int, body: bytes) -> str:
    """Return the header: a signature by each secret. ``at_s`` is when it is sent."""
    signed = f"{message_id}.{at_s}.".encode() + body
    digests = (hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
