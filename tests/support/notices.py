"""Webhooks of ours, as a receiver has them: settings that lead to it, and what it can tell."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from notices.settings import NoticeSettings
from tests.support.odd_server import Asked
from tests.support.receiver import Receiver

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
NETWORKS = ["127.0.0.0/8"]


def notice_settings(receiver: Receiver, **changes: object) -> NoticeSettings:
    """Return settings under which a receiver is told everything."""
    return NoticeSettings.model_validate(
        {
            "alert_webhook_url": receiver.url,
            "alert_webhook_secret": SECRET,
            "event_webhook_url": receiver.url,
            "event_webhook_secret": SECRET,
            "webhook_networks": NETWORKS,
            "webhook_timeout_s": 15,
            **changes,
        }
    )


def verified(post: Asked) -> dict[str, Any]:
    """Return what a post says, with its id; made sure of as a receiver would."""
    id_, at_s = post.headers["webhook-id"], post.headers["webhook-timestamp"]
    digest = hmac.digest(KEY, f"{id_}.{at_s}.".encode() + post.body, hashlib.sha256)
    wanted = f"v1,{base64.b64encode(digest).decode()}"
    assert post.headers["webhook-signature"] == wanted
    body: dict[str, Any] = json.loads(post.body)
    assert set(body) == {"type", "timestamp", "data"}
    return {"id": id_, **body}


def told(receiver: Receiver) -> list[dict[str, Any]]:
    """Return all that a receiver was told, in order."""
    return [verified(post) for post in receiver.posts]
