"""A file of a build, as it is sent: its bytes, packed where that is worth it, and validators."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self

#: By the end of the name. The table of the machine that serves is not asked: they differ.
MEDIA_TYPES = MappingProxyType(
    {
        ".css": "text/css",
        ".html": "text/html",
        ".ico": "image/x-icon",
        ".jpg": "image/jpeg",
        ".js": "text/javascript",
        ".json": "application/json",
        ".mjs": "text/javascript",
        ".mp3": "audio/mpeg",
        ".ogg": "audio/ogg",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".txt": "text/plain",
        ".wasm": "application/wasm",
        ".wav": "audio/wav",
        ".webmanifest": "application/manifest+json",
        ".webp": "image/webp",
        ".woff": "font/woff",
        ".woff2": "font/woff2",
    }
)
_UNKNOWN_TYPE = "application/octet-stream"
#: Less travels in one packet anyway.
_WORTH_PACKING_BYTES = 1024
#: Pictures and fonts are packed already, and would only cost time to unpack.
_WORTH_PACKING_SHARE = 0.9
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """One form of a file (RFC 9110, 3.2), with the strong validator that names it."""

    body: bytes
    etag: str
    encoding: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A file in the forms that it may be sent in."""

    media_type: str
    plain: Representation
    packed: Representation | None

    @classmethod
    def of_file(cls, file: Path) -> Self:
        """Read a file. Raises OSError."""
        return cls.of_bytes(file.suffix, file.read_bytes())

    @classmethod
    def of_bytes(cls, suffix: str, body: bytes) -> Self:
        """Prepare what a file holds; the same bytes have the same validators everywhere."""
        digest = hashlib.sha256(body).hexdigest()[: 2 * _DIGEST_BYTES]
        return cls(
            media_type=MEDIA_TYPES.get(suffix.lower(), _UNKNOWN_TYPE),
            plain=Representation(body=body, etag=f'"{digest}"'),
            packed=_packed(body, f'"{digest}-gzip"'),
        )


def _packed(body: bytes, etag: str) -> Representation | None:
    if len(body) < _WORTH_PACKING_BYTES:
        return None
    packed = gzip.compress(body, mtime=0)
    if len(packed) > len(body) * _WORTH_PACKING_SHARE:
        return None
    return Representation(body=packed, etag=etag, encoding="gzip")
