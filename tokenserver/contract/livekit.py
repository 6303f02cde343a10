"""The part of LiveKit's webhooks that we look at, for the document; `rooms/webhooks.py` reads it.

Fields as LiveKit writes them: protocol buffers as JSON (livekit_webhook.proto, LiveKit docs,
"Webhooks"). There are many more, and new ones may come.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_Text = Annotated[str, Field(min_length=1)]


class WebhookRoom(BaseModel):
    """The room that an event is about."""

    model_config = ConfigDict(extra="allow")

    name: str = ""


class WebhookParticipant(BaseModel):
    """The participant that an event is about."""

    model_config = ConfigDict(extra="allow")

    identity: str = ""
    kind: Literal["STANDARD", "INGRESS", "EGRESS", "SIP", "AGENT"] = "STANDARD"


class WebhookEvent(BaseModel):
    """One event, as LiveKit sends it."""

    model_config = ConfigDict(extra="allow")

    id: _Text = Field(description="An event that comes again has the same id, and changes nothing.")
    event: _Text = Field(
        description="`room_started`, `participant_joined` and `room_finished` count; others do not."
    )
    room: WebhookRoom = WebhookRoom()
    participant: WebhookParticipant = WebhookParticipant()
