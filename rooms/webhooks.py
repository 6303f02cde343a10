"""What LiveKit tells us about rooms, once its signature has been checked."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass

import jwt
from google.protobuf.json_format import Parse, ParseError
from jwt.exceptions import PyJWTError
from livekit import api
from livekit.protocol.models import ParticipantInfo

from rooms.errors import BadWebhook
from rooms.settings import RoomSettings

#: A delivery is a few kilobytes; anything near this is not LiveKit's.
MAX_WEBHOOK_BYTES = 256 * 1024
#: LiveKit's token for a delivery has about 300 characters.
_MAX_TOKEN_CHARS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEvent:
    """One webhook. ``kind`` is LiveKit's event name, such as ``room_finished``."""

    id: str
    kind: str
    room: str
    identity: str
    #: True when the participant is a person's client, not an agent, recorder or phone bridge.
    is_user: bool


def read_webhook(settings: RoomSettings, body: bytes, authorization: str) -> RoomEvent:
    """Return the event in a webhook. Raises BadWebhook unless our server signed these bytes.

    The header holds a JSON web token without "Bearer", whose ``sha256`` claim is the hash of the
    body (LiveKit docs, "Webhooks"). The key that was ours before counts too, if it is set. Clocks
    may differ by a minute.
    """
    signed = _signed_hash(settings, authorization)
    if not hmac.compare_digest(signed, hashlib.sha256(body).digest()):
        raise BadWebhook("the body does not match its signature")
    try:
        event = Parse(body.decode("utf-8"), api.WebhookEvent(), ignore_unknown_fields=True)
    except (ParseError, UnicodeDecodeError) as error:
        raise BadWebhook("the body is signed and not an event") from error
    if not event.id or not event.event:
        raise BadWebhook("the event has no id or no name")
    participant = event.participant
    return RoomEvent(
        id=event.id,
        kind=event.event,
        room=event.room.name,
        identity=participant.identity,
        is_user=bool(participant.identity) and participant.kind == ParticipantInfo.Kind.STANDARD,
    )


def _signed_hash(settings: RoomSettings, authorization: str) -> bytes:
    """Return the hash that a token of our server vouches for."""
    if not 0 < len(authorization) <= _MAX_TOKEN_CHARS:
        raise BadWebhook("there is no token, or a much too long one")
    reason = "the token names no key of ours"
    for key, secret in _keys_named(settings, _issuer(authorization)):
        try:
            claims = api.TokenVerifier(key, secret).verify(authorization)
            if not claims.sha256:
                raise BadWebhook("the token is ours and not for a webhook")
            return base64.b64decode(claims.sha256, validate=True)
        except (PyJWTError, ParseError, TypeError, ValueError, AttributeError) as error:
            reason = type(error).__name__
    raise BadWebhook(reason)


def _issuer(token: str) -> object:
    """Return the key that a token says it was signed with. Nothing has been checked yet."""
    try:
        return jwt.decode(token, options={"verify_signature": False}).get("iss")
    except (PyJWTError, ValueError, RecursionError) as error:
        raise BadWebhook(type(error).__name__) from error


def _keys_named(settings: RoomSettings, name: object) -> Iterator[tuple[str, str]]:
    """Yield our keys of that name with their secrets: two when only the secret was replaced."""
    for key, secret in (
        (settings.livekit_api_key, settings.livekit_api_secret),
        (settings.livekit_previous_api_key, settings.livekit_previous_api_secret),
    ):
        if key is not None and secret is not None and key == name:
            yield key, secret.get_secret_value()
