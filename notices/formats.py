"""Messages in the words of who reads them: as they are, or as Slack shows them."""

from __future__ import annotations

import json
from enum import StrEnum

from notices.message import Message, iso_time

#: Slack takes 3000 characters for a block; escaped, five times as many may come of these.
_MOST_CHARS = 500
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SIGNS = {"critical": ":red_circle:", "warning": ":large_orange_circle:"}
_RESOLVED = "alert.resolved"


class Format(StrEnum):
    """Who reads a message."""

    JSON = "json"  # programs: signed, as it is
    SLACK = "slack"  # people, in a channel: an incoming webhook of Slack, or of what imitates it


def body_of(message: Message, format: Format) -> bytes:  # noqa: A002 - what it is called
    """Return what is sent."""
    return message.to_json() if format is Format.JSON else _for_slack(message)


def escape(text: str) -> str:
    """Return a text that Slack shows as it is: it names nobody, calls no channel, and is no link.

    https://docs.slack.dev/messaging/formatting-message-text
    """
    short = text if len(text) <= _MOST_CHARS else f"{text[: _MOST_CHARS - 1]}…"
    return "".join(_ESCAPES.get(letter, letter) for letter in short)


def _for_slack(message: Message) -> bytes:
    """Return an alert as a message with its words and, smaller, its figures."""
    alert = {name: escape(_shown(value)) for name, value in message.data.items()}
    is_over = message.type == _RESOLVED
    sign = ":large_green_circle:" if is_over else _SIGNS.get(alert["severity"], "")
    word = "Resolved" if is_over else alert["severity"].capitalize()
    since = iso_time(int(alert["since"]))
    figures = f"`{alert['code']}` {alert['value']} (limit {alert['limit']}), since {since}"
    body = {
        "text": f"{sign} {word}: {alert['message']}",
        "unfurl_links": False,
        "blocks": [
            _section(f"{sign} *{word}*: {alert['message']}"),
            {"type": "context", "elements": [{"type": "mrkdwn", "text": figures}]},
        ],
    }
    return json.dumps(body, ensure_ascii=False).encode()


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _section(text: str) -> dict[str, object]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}
