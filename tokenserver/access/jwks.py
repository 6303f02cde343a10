"""What an identity provider publishes about its keys (JWKS, RFC 7517), read with care."""

from __future__ import annotations

import json
import warnings

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

#: Providers publish two to ten keys; each one costs time when it is read.
MAX_KEYS = 100

#: Kinds of keys with a public half. A shared secret (`oct`) has none, so it has no place here:
#: whoever can read the document could sign with it.
_KINDS: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}

#: What reading one key may raise, whatever stands in it.
_UNREADABLE = (
    JoseError,
    SecurityWarning,  # an RSA key of less than 2048 bits
    UnsupportedAlgorithm,  # a curve that the OpenSSL of this machine lacks
    ValueError,
    TypeError,
    KeyError,
)


class BadKeyDocument(ValueError):
    """Raised when an answer is no list of keys, or a list of none that can check a signature."""


def read_jwks(document: bytes) -> tuple[Key, ...]:
    """Return the keys of a JWKS that can check signatures.

    Those that cannot, or that nobody understands, are left out, as RFC 7517 §5 asks: a new kind
    of key next to the known ones must not lock everybody out. Raises BadKeyDocument.
    """
    try:
        content = json.loads(document)
    except (ValueError, RecursionError):
        raise BadKeyDocument("the answer is not JSON") from None
    listed = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise BadKeyDocument("the answer has no list of keys")
    if len(listed) > MAX_KEYS:
        raise BadKeyDocument(f"the answer has more than {MAX_KEYS} keys")
    keys = tuple(key for entry in listed if (key := _read_key(entry)) is not None)
    if not keys:
        raise BadKeyDocument("the answer has no key that can check a signature")
    return keys


def fits(key: Key, alg: str) -> bool:
    """Say whether a key may check signatures of an algorithm: its kind, curve and own wishes."""
    try:
        JWSRegistry.algorithms[alg].check_key(key)
    except (JoseError, KeyError):
        return False
    return True


def _read_key(entry: object) -> Key | None:
    kty = entry.get("kty") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(kty, str) or kty not in _KINDS:
        return None
    kind = _KINDS[kty]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SecurityWarning)
            key = kind.import_key(entry)
        key.check_use("sig")
        key.check_key_op("verify")
    except _UNREADABLE:
        return None
    return key
