"""Whatever a stranger sends as a webhook is refused, and refused in one way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from rooms.errors import BadWebhook
from rooms.settings import RoomSettings
from rooms.tokens import Participant, mint_token
from rooms.webhooks import read_webhook

KEY, SECRET = "key-now", "n" * 32
OLD_KEY, OLD_SECRET = "key-before", "o" * 32
ROTATING = {"livekit_previous_api_key": OLD_KEY, "livekit_previous_api_secret": OLD_SECRET}
BODY = json.dumps({"event": "room_finished", "id": "EV_1", "room": {"name": "r"}}).encode()
#: LiveKit signs a delivery for so long.
TTL_S = 300


def settings(**values: object) -> RoomSettings:
    return RoomSettings.model_validate(
        {"livekit_api_key": KEY, "livekit_api_secret": SECRET, **values}
    )


def part(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def sign(claims: object, secret: str = SECRET, header: object = None) -> str:
    """Return a token made by hand: libraries refuse to make some of these."""
    signed = f"{part(header or {'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    return f"{signed}.{part(hmac.digest(secret.encode(), signed.encode(), 'sha256'))}"


def claims(body: bytes = BODY, *, late_s: int = 0, **others: object) -> dict[str, Any]:
    """Return the claims of a server whose clock is late by so much."""
    now_s = int(time.time()) - late_s
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    all_claims = {"iss": KEY, "nbf": now_s, "exp": now_s + TTL_S, "sha256": digest, **others}
    return {name: value for name, value in all_claims.items() if value is not None}


def participant_token() -> str:
    return mint_token(settings(), Participant(room="r", identity="u"), ttl_s=120)


FORGED: dict[str, Callable[[], str]] = {
    "no header": lambda: "",
    "no token": lambda: "nonsense",
    "dots": lambda: "..",
    "a participant's token": participant_token,
    "with Bearer before it": lambda: f"Bearer {sign(claims())}",
    "100 kB": lambda: sign(claims(padding="x" * 75_000)),
    "100 kB of nothing": lambda: "x" * 100_000,
    "not ASCII": lambda: "\xff" * 40,
    "half a character": lambda: "\ud800." * 3,
    "another secret": lambda: sign(claims(), "x" * 32),
    "an empty secret": lambda: sign(claims(), ""),
    "not signed": lambda: f"{part({'alg': 'none'})}.{part(claims())}.",
    "an empty signature": lambda: sign(claims()).rpartition(".")[0] + ".",
    "another algorithm": lambda: sign(claims(), header={"alg": "HS384"}),
    "must be understood": lambda: sign(claims(), header={"alg": "HS256", "crit": ["x"]}),
    "another key's name": lambda: sign(claims(iss="devkey")),
    "no key's name": lambda: sign(claims(iss=None)),
    "a list of names": lambda: sign(claims(iss=[KEY])),
    "the retired key": lambda: sign(claims(iss=OLD_KEY), OLD_SECRET),
    "no expiry": lambda: sign(claims(exp=None)),
    "6 min late": lambda: sign(claims(late_s=360)),
    "6 min early": lambda: sign(claims(late_s=-360)),
    "no hash": lambda: sign(claims(sha256=None)),
    "an empty hash": lambda: sign(claims(sha256="")),
    "a hash that is a number": lambda: sign(claims(sha256=7)),
    "a hash that is not base64": lambda: sign(claims(sha256="*" * 44)),
    "the hash of another body": lambda: sign(claims(BODY + b" ")),
    "claims that are a list": lambda: sign([]),
    "claims that are deep": lambda: sign(b"[" * 2000),
    "a header that is a list": lambda: sign(claims(), header=[1]),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_what_our_server_did_not_sign_is_refused(forge: Callable[[], str]) -> None:
    with pytest.raises(BadWebhook) as caught:
        read_webhook(settings(), BODY, forge())
    assert SECRET not in str(caught.value)


def test_a_participants_token_is_refused_for_what_it_is() -> None:
    """It is signed with the right key: only the missing hash tells it from a webhook's."""
    with pytest.raises(BadWebhook, match="ours and not for a webhook"):
        read_webhook(settings(), BODY, participant_token())


def test_what_our_server_signed_is_read() -> None:
    event = read_webhook(settings(), BODY, sign(claims()))
    assert (event.id, event.event, event.room.name, event.is_of_user) == (
        "EV_1",
        "room_finished",
        "r",
        False,
    )


@pytest.mark.parametrize("late_s", [-30, 30])
def test_clocks_may_differ_a_little(late_s: int) -> None:
    assert read_webhook(settings(), BODY, sign(claims(late_s=late_s))).id == "EV_1"


@pytest.mark.parametrize("place", [0, len(BODY) // 2, len(BODY) - 1])
def test_one_changed_byte_is_noticed(place: int) -> None:
    changed = bytearray(BODY)
    changed[place] ^= 1
    with pytest.raises(BadWebhook, match="does not match"):
        read_webhook(settings(), bytes(changed), sign(claims()))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"room": 7}',
        b'{"event": "room_finished", "room": {"name": "r"}}',
        b"\xff\xfe",
        b"[" * 5000,
        b'{"room":' * 500,
    ],
)
def test_a_signed_body_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(BadWebhook):
        read_webhook(settings(), body, sign(claims(body)))


def test_while_a_key_is_replaced_both_count() -> None:
    for token in (sign(claims()), sign(claims(iss=OLD_KEY), OLD_SECRET)):
        assert read_webhook(settings(**ROTATING), BODY, token).id == "EV_1"


def test_a_key_counts_only_with_its_own_secret() -> None:
    for token in (sign(claims(), OLD_SECRET), sign(claims(iss=OLD_KEY), SECRET)):
        with pytest.raises(BadWebhook):
            read_webhook(settings(**ROTATING), BODY, token)


def test_only_the_secret_of_a_key_may_be_replaced() -> None:
    replaced = settings(livekit_previous_api_key=KEY, livekit_previous_api_secret=OLD_SECRET)
    for secret in (SECRET, OLD_SECRET):
        assert read_webhook(replaced, BODY, sign(claims(), secret)).id == "EV_1"
    with pytest.raises(BadWebhook):
        read_webhook(replaced, BODY, sign(claims(), "x" * 32))


def test_the_old_key_is_held_to_the_same_rules() -> None:
    for wrong in (claims(BODY + b" ", iss=OLD_KEY), claims(iss=OLD_KEY, late_s=360)):
        with pytest.raises(BadWebhook):
            read_webhook(settings(**ROTATING), BODY, sign(wrong, OLD_SECRET))


@pytest.mark.parametrize(
    "values",
    [
        {"livekit_previous_api_key": OLD_KEY},
        {"livekit_previous_api_secret": OLD_SECRET},
        {"livekit_previous_api_key": OLD_KEY, "livekit_previous_api_secret": "short"},
    ],
)
def test_half_a_previous_key_is_refused_at_the_start(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**values)
    assert OLD_SECRET not in str(caught.value)


def test_the_previous_secret_is_not_shown() -> None:
    shown = settings(**ROTATING | {"livekit_previous_api_secret": SecretStr(OLD_SECRET)})
    assert OLD_SECRET not in repr(shown)
