"""What a browser may do with a page and keep of it: the headers of each file."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9A-Fa-f:]+\](:\d+)?", re.ASCII)
#: Their names change with what they hold.
_HASHED = "/assets/"
#: What pages of other sites load.
_FOR_OTHERS = "/embed/"
_CONSOLE = "/console"

_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_EACH_TIME = "no-cache"
#: A call needs the microphone; no page here needs anything else.
_PERMISSIONS = "microphone=(self), camera=(), geolocation=(), display-capture=()"


def headers_of(path: str, media_type: str, livekit_url: str) -> dict[str, str]:
    """Return the headers of what is served at a path, besides its validators.

    All else that every answer has is added around it (`CarefulHeaders`).
    """
    headers = {"Cache-Control": _FOR_EVER if path.startswith(_HASHED) else _ASK_EACH_TIME}
    if media_type == "text/html":
        headers["Content-Security-Policy"] = content_security_policy(livekit_url)
        headers["Permissions-Policy"] = _PERMISSIONS
    if path == _CONSOLE:
        headers["X-Robots-Tag"] = "noindex"
    if path.startswith(_FOR_OTHERS):
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return headers


def content_security_policy(livekit_url: str) -> str:
    """Return the policy of a page: it loads its own files and talks to its own API and to LiveKit.

    Raises ValueError as `livekit_sources`.
    """
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "media-src 'self' blob:",
            f"connect-src 'self' {livekit_sources(livekit_url)}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def livekit_sources(livekit_url: str) -> str:
    """Return where livekit-client connects to: a WebSocket, and calls of the same host before it.

    Raises ValueError for an address whose host cannot stand in a policy as it is.
    """
    parts = urlsplit(livekit_url)
    host = parts.netloc.rpartition("@")[2]
    if not _HOST.fullmatch(host):
        raise ValueError("the address of LiveKit that browsers use has no plain host name")
    schemes = ("wss", "https") if parts.scheme in {"wss", "https"} else ("ws", "http")
    return " ".join(f"{scheme}://{host}" for scheme in schemes)
