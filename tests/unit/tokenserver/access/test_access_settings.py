"""Settings of user tokens: what could not work, or would not be safe, is refused at the start."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tokenserver.access.settings import AccessSettings

JWT: dict[str, object] = {
    "auth_mode": "jwt",
    "auth_issuer": "https://id.example.com/",
    "auth_audience": "voicefleet",
    "auth_jwks_url": "https://id.example.com/keys",
}


def settings(**values: object) -> AccessSettings:
    return AccessSettings.model_validate({**JWT, **values})


@pytest.mark.parametrize(
    "url",
    [
        "https://id.example.com/keys?tenant=1",
        "https://id.example.com:8443/keys",
        "http://127.0.0.1:9000/keys",
        "http://localhost/keys",
        "http://[::1]:9000/keys",
    ],
)
def test_keys_come_from_a_safe_address(url: str) -> None:
    assert settings(auth_jwks_url=url).auth_jwks_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://id.example.com/keys",
        "http://localhost.example.com/keys",
        "http://127.0.0.1:x@id.example.com/keys",
        "https://user:password@id.example.com/keys",
        "https://",
        "https:///keys",
        "https://id.example.com:99999/keys",
        "https://id.example.com:0/keys",
        "https://id.example.com/keys#one",
        "file:///etc/passwd",
    ],
)
def test_keys_come_from_nowhere_else(url: str) -> None:
    with pytest.raises(ValidationError, match="auth_jwks_url"):
        settings(auth_jwks_url=url)


@pytest.mark.parametrize("algorithms", [["none"], ["HS256"], ["EdDSA"], ["RS256", "HS256"], []])
def test_a_shared_secret_is_no_proof(algorithms: list[str]) -> None:
    """Attack 3: not even by a mistake in the settings."""
    with pytest.raises(ValidationError, match="auth_algorithms"):
        settings(auth_algorithms=algorithms)


@pytest.mark.parametrize("name", ["auth_issuer", "auth_audience", "auth_jwks_url"])
def test_user_tokens_need_all_three(name: str) -> None:
    with pytest.raises(ValidationError, match=name.upper()):
        settings(**{name: None})
    with pytest.raises(ValidationError, match=name):
        settings(**{name: ""})
    assert settings(auth_mode="open", **{name: None}).auth_mode == "open"
