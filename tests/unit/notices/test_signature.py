"""Signatures are those of the spec; what is no secret is refused, and not repeated."""

from __future__ import annotations

import base64

import pytest

from notices.signature import BadSecret, read_secrets, sign

#: The example of the spec's own libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
ID, AT_S = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER = f"whsec_{base64.b64encode(32 * b'o').decode()}"


def test_the_example_of_the_spec() -> None:
    assert sign(read_secrets(SECRET), ID, AT_S, BODY) == SIGNATURE


def test_while_a_secret_is_replaced_there_are_two() -> None:
    first, second = sign(read_secrets(f"{OTHER} {SECRET}"), ID, AT_S, BODY).split(" ")
    assert second == SIGNATURE
    assert first == sign(read_secrets(OTHER), ID, AT_S, BODY)


@pytest.mark.parametrize(
    ("secret", "message_id", "at_s", "body"),
    [
        (OTHER, ID, AT_S, BODY),
        (SECRET, f"{ID}x", AT_S, BODY),
        (SECRET, ID, AT_S + 1, BODY),
        (SECRET, ID, AT_S, BODY + b" "),
    ],
)
def test_everything_that_is_signed_counts(
    secret: str, message_id: str, at_s: int, body: bytes
) -> None:
    assert sign(read_secrets(secret), message_id, at_s, body) != SIGNATURE


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        SECRET.removeprefix("whsec_"),
        "whsec_",
        "whsec_*MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        f"whsec_{base64.b64encode(23 * b'x').decode()}",
        f"whsec_{base64.b64encode(65 * b'x').decode()}",
        f"{SECRET} nonsense",
    ],
)
def test_what_is_no_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(BadSecret) as refused:
        read_secrets(text)
    assert len(text) < 8 or text[6:] not in str(refused.value)


@pytest.mark.parametrize("count", [24, 64])
def test_secrets_have_a_length(count: int) -> None:
    assert read_secrets(f"whsec_{base64.b64encode(count * b'x').decode()}") == (count * b"x",)
