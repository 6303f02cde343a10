"""A session as the API shows it, for servers that only look like ours."""

from __future__ import annotations

import json
from typing import Any

SESSION_ID = "6f0c1b7e9a2d4c538e17d0b4a95f3c62"


def view(status: str = "starting", revision: int = 1, **fields: object) -> dict[str, Any]:
    """Return the answer to a look."""
    absent = ("readyAt", "joinedAt", "endedAt", "startupTime", "prewarmed", "agentState", "queue")
    return {
        "success": True,
        "sessionId": SESSION_ID,
        "status": status,
        "message": f"It is {status}.",
        "revision": revision,
        "roomName": f"vf-{SESSION_ID}",
        "createdAt": 1_764_000_000_000,
        **dict.fromkeys(absent),
        "serverUrl": None,
        "participantToken": None,
        "error": None,
        **fields,
    }


def started(**fields: object) -> dict[str, Any]:
    """Return the answer to a start."""
    return view() | {
        "sessionSecret": "a-secret",
        "serverUrl": "ws://127.0.0.1:7880",
        "participantToken": "a.b.c",
        **fields,
    }


def event(status: str = "starting", revision: int = 1, **fields: object) -> bytes:
    """Return an event of a stream."""
    data = json.dumps(view(status, revision, **fields))
    return f"id: {revision}\nevent: session\ndata: {data}\n\n".encode()
