"""What LiveKit tells us about rooms, once its signature has been checked."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.json_format import ParseError
from jwt.exceptions import PyJWTError
from livekit import api
from livekit.protocol.models import ParticipantInfo

from rooms.errors import BadWebhook
from rooms.settings import RoomSettings

#: A delivery is a few kilobytes; anything near this is not LiveKit's.
MAX_WEBHOOK_BYTES = 256 * 1024


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
    body (LiveKit docs, "Webhooks").
    """
    verifier = api.TokenVerifier(
        settings.livekit_api_key, settings.livekit_api_secret.get_secret_value()
    )
    try:
        event = api.WebhookReceiver(verifier).receive(body.decode("utf-8"), authorization)
    except (PyJWTError, ParseError, UnicodeDecodeError, ValueError) as error:
        raise BadWebhook(type(error).__name__) from error
    except Exception as error:
        raise BadWebhook("the body does not match its signature") from error
    participant = event.participant
    return RoomEvent(
        id=event.id,
        kind=event.event,
        room=event.room.name,
        identity=participant.identity,
        is_user=bool(participant.identity) and participant.kind == ParticipantInfo.Kind.STANDARD,
    )
