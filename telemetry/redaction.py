"""Keeps keys, tokens and passwords out of logs, and transcripts where they are named so.

Two nets, since either alone has holes: fields are hidden by their name, and text is searched for
the shapes that secrets have (JSON web tokens, bearer headers, passwords inside URLs).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

HIDDEN = "[hidden]"
_SHORTEST_SECRET = 8
#: A traceback fits; a request that wants to fill the disk does not.
MAX_CHARS = 16_384

_SECRET_NAME = re.compile(
    r"(secret|password|passwd|authorization|cookie|token|api_?key|admin_?key|transcript)", re.I
)
#: How livekit-agents marks what users say and what tools are told: `lk.pii.text`.
_SOMEBODYS_OWN = re.compile(r"(?:^|\.)pii(?:\.|$)", re.I)
#: Counts and sizes may carry such a word in their name without being secret.
_HARMLESS_NAME = re.compile(r"(_count|_ms|_s|_bytes|tokens|_ttl)$", re.I)
#: Text comes from strangers too: each pattern starts at the edge of a word and looks only so far
#: ahead, so that searching takes time in proportion to the length.
_SECRET_TEXT = (
    (re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), HIDDEN),
    (re.compile(r"(?i)\b(bearer)\s+[\w.~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (
        re.compile(r"(?<![\w+.-])([a-z][\w+.-]{0,30}://[^\s:/@]{0,200}):[^\s@]{1,500}@", re.I),
        rf"\1:{HIDDEN}@",
    ),
    (re.compile(r"\bsk-[\w-]{8,}"), HIDDEN),
    (re.compile(r"(?i)\b(access_token|api_?key|secret|token)=[^&\s\"']+"), rf"\1={HIDDEN}"),
)
#: What each of them has in it. Nearly all text has none of it, and is done with one look.
_HINT = re.compile(r"eyJ|://|sk-|=|bearer", re.I)


def redact_text(text: str) -> str:
    """Return ``text`` with everything that has the shape of a secret replaced.

    Text beyond ``MAX_CHARS`` is cut off.
    """
    if len(text) > MAX_CHARS:
        text = f"{text[:MAX_CHARS]}… ({len(text) - MAX_CHARS} more)"
    if not _HINT.search(text):
        return text
    for shape, replacement in _SECRET_TEXT:
        text = shape.sub(replacement, text)
    return text


def hide(text: str, secrets: Iterable[str]) -> str:
    """Hide these very secrets in a text; what is too short for one could be any word."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return text


def redact(value: object) -> object:
    """Return a copy of ``value`` fit for a log: secret fields hidden, however deep they lie."""
    if isinstance(value, Mapping):
        return redact_fields({str(name): item for name, item in value.items()})
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item) for item in value]
    return value


def redact_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """As `redact`, for the fields of one record."""
    return {name: HIDDEN if _is_secret(name) else redact(value) for name, value in fields.items()}


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    if _SOMEBODYS_OWN.search(name):
        return True
    return bool(_SECRET_NAME.search(name)) and not _HARMLESS_NAME.search(name)
