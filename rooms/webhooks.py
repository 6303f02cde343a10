"""What LiveKit tells us about rooms, once its signature has been checked."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Annotated

import jwt
from jwt.exceptions import PyJWTError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rooms.errors import BadWebhook
from rooms.settings import RoomSettings

#: A delivery is a few kilobytes; anything near this is not LiveKit's.
MAX_WEBHOOK_BYTES = 256 * 1024
#: LiveKit's token for a delivery has about 300 characters.
_MAX_TOKEN_CHARS = 4096
#: How far its clock may be from ours, either way; as livekit-api's own verifier has it.
_LEEWAY_S = 60

_Text = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    """Fields as LiveKit writes them: protocol buffers as JSON (livekit_webhook.proto, LiveKit docs,
    "Webhooks"). There are many more than those we look at, and new ones may come."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class WebhookRoom(_Part):
    """The room that an event is about."""

    name: str = Field("", description="Its name.")


class WebhookParticipant(_Part):
    """The participant that an event is about."""

    identity: str = Field("", description="Its identity in the room.")
    kind: str = Field("STANDARD", description="What it is: `STANDARD` is a person's client.")


class WebhookEvent(_Part):
    """One event, as LiveKit sends it."""

    id: _Text = Field(description="An event that comes again has the same id, and changes nothing.")
    event: _Text = Field(
        description="`room_started`, `participant_joined` and `room_finished` count; others do not."
    )
    room: WebhookRoom = Field(WebhookRoom(), description="Left out by events of none.")
    participant: WebhookParticipant = Field(
        WebhookParticipant(), description="Left out by events of none."
    )

    @property
    def is_of_user(self) -> bool:
        """Whether the participant is a person's client, not an agent, recorder or phone bridge."""
        return bool(self.participant.identity) and self.participant.kind == "STANDARD"


def read_webhook(settings: RoomSettings, body: bytes, authorization: str) -> WebhookEvent:
    """Return the event in a webhook. Raises BadWebhook unless our server signed these bytes.

    The header holds a JSON web token without "Bearer", whose ``sha256`` claim is the hash of the
    body (LiveKit docs, "Webhooks"). The key that was ours before counts too, if it is set. Clocks
    may differ by a minute.
    """
    signed = _signed_hash(settings, authorization)
    if not hmac.compare_digest(signed, hashlib.sha256(body).digest()):
        raise BadWebhook("the body does not match its signature")
    try:
        return WebhookEvent.model_validate_json(body)
    except ValidationError as error:
        raise BadWebhook("the body is signed and not an event") from error


def _signed_hash(settings: RoomSettings, authorization: str) -> bytes:
    """Return the hash that a token of our server vouches for."""
    if not 0 < len(authorization) <= _MAX_TOKEN_CHARS:
        raise BadWebhook("there is no token, or a much too long one")
    reasons = []
    for key, secret in _keys(settings):
        try:
            claims = jwt.decode(
                authorization,
                secret,
                algorithms=["HS256"],
                issuer=key,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iss"]},
            )
            if not claims.get("sha256"):
                raise BadWebhook("the token is ours and not for a webhook")
            return base64.b64decode(claims["sha256"], validate=True)
        except (PyJWTError, TypeError, ValueError, RecursionError) as error:
            reasons.append(type(error).__name__)
    raise BadWebhook(f"no key of ours vouches for the token ({', '.join(reasons)})")


def _keys(settings: RoomSettings) -> Iterator[tuple[str, str]]:
    """Yield the key that is ours and the one before it, with their secrets."""
    for key, secret in (
        (settings.livekit_api_key, settings.livekit_api_secret),
        (settings.livekit_previous_api_key, settings.livekit_previous_api_secret),
    ):
        if key is not None and secret is not None:
            yield key, secret.get_secret_value()
