"""Which user a `sub` means, and what a token may look like before anything is proved."""

from __future__ import annotations

import base64
import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions.ids import parse_user_id
from tokenserver.access.user_tokens import (
    MAX_TOKEN_BYTES,
    Header,
    InvalidUserToken,
    read_header,
    user_id_of,
)


@pytest.mark.parametrize("sub", ["anna", "anna@example.com", "a" * 128, "sub-1", "sub-" + "A" * 64])
def test_what_fits_is_the_id(sub: str) -> None:
    assert user_id_of(sub) == sub


@pytest.mark.parametrize("sub", ["auth0|abc", "Änne", " ", "a" * 129, "a\n", "a b", "\0"])
def test_the_rest_becomes_a_digest(sub: str) -> None:
    user = user_id_of(sub)
    assert user.startswith("sub-")
    assert parse_user_id(user) == user


def test_digests_stay_what_they_are() -> None:
    """An id that changed with a release would take everybody's sessions away."""
    assert user_id_of("auth0|abc") == (
        "sub-c5d09a77163332e87cd67f4fdec08160705a9a73940b9a4591b4b6f1cb53a61d"
    )


def test_nobody_becomes_another_by_taking_their_id_for_a_name() -> None:
    victim = user_id_of("auth0|abc")
    assert user_id_of(victim) != victim
    assert user_id_of(victim + "x") != victim + "x"
    assert user_id_of(user_id_of(victim)) not in {victim, user_id_of(victim)}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(one=st.text(min_size=1), two=st.text(min_size=1))
def test_two_names_are_two_users(one: str, two: str) -> None:
    assert (user_id_of(one) == user_id_of(two)) == (one == two)
    assert parse_user_id(user_id_of(one)) is not None


@pytest.mark.parametrize("sub", [None, "", 0, 7, True, ["anna"], {"a": 1}, b"anna", "\ud800"])
def test_what_is_no_name_is_refused(sub: object) -> None:
    with pytest.raises(InvalidUserToken):
        user_id_of(sub)


def token(header: object) -> str:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode() + ".e30.c2ln"


def test_a_header_names_algorithm_and_key() -> None:
    assert read_header(token({"alg": "RS256", "kid": "a"})) == Header(alg="RS256", kid="a")
    assert read_header(token({"alg": "RS256", "more": [1]})) == Header(alg="RS256", kid=None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "a" * 40,
        "é.é.é",
        "\ud800.a.b",
        token({}),
        token([]),
        token(["alg"]),
        token("alg"),
        token(None),
        token(b"{"),
        token(b"\xff"),
        token(b"[" * 5000),
        token(b'{"alg":' + b"9" * 4400 + b"}"),
        token({"alg": None}),
        token({"alg": ["RS256"]}),
        token({"alg": "RS256", "kid": 5}),
        token({"alg": "RS256", "kid": {}}),
        token({"alg": "RS256", "typ": "logout+jwt"}),
        token({"alg": "RS256", "crit": 5}),
        token({"alg": "RS256"}) + "é",
        token({"alg": "RS256"}) + ".more",
        token({"alg": "RS256"}) + ".two.more",
        token({"alg": "RS256"}) + "x" * MAX_TOKEN_BYTES,
        token({"alg": "RS256"}).replace(".", "=.", 1),
        " " + token({"alg": "RS256"}),
    ],
)
def test_what_cannot_be_a_token_is_refused(text: str) -> None:
    """Attack 3: and never with another error than this one."""
    with pytest.raises(InvalidUserToken):
        read_header(text)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text() | st.binary().map(token))
def test_no_text_does_worse_than_being_refused(text: str) -> None:
    with suppress(InvalidUserToken):
        assert isinstance(read_header(text), Header)
