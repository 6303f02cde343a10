from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from tokenserver.settings import TokenserverSettings

SECRET = "s" * 32


def settings(**values: object) -> TokenserverSettings:
    return TokenserverSettings.model_validate(
        {"livekit_api_key": "key", "livekit_api_secret": SECRET, **values}
    )


def test_browsers_get_the_public_url() -> None:
    assert settings().public_url == "ws://127.0.0.1:7880"
    public = settings(livekit_public_url="wss://media.example.com")
    assert public.public_url == "wss://media.example.com"


def test_secrets_are_not_shown() -> None:
    shown = repr(settings(redis_url=SecretStr("redis://:hunter2@host"), admin_api_key="a" * 16))
    assert SECRET not in shown
    assert "hunter2" not in shown
    assert "a" * 16 not in shown


@pytest.mark.parametrize(
    "values",
    [
        {"livekit_api_secret": "short"},
        {"admin_api_key": "short"},
        {"admin_api_key": ""},
        {"max_sessions": 0},
        {"livekit_url": "not a url"},
        {"redis_prefix": "a}:b"},
        {"tokenserver_port": 70_000},
        {"history_ttl_s": 659},
        {"history_ttl_s": 3600, "token_ttl_s": 3600},
    ],
)
def test_what_would_not_work_is_refused_at_the_start(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**values)
    assert SECRET not in str(caught.value)


def test_a_record_may_just_outlast_all_tokens() -> None:
    assert settings(history_ttl_s=660).history_ttl_s == 660
    assert settings(history_ttl_s=3660, token_ttl_s=3600).token_ttl_s == 3600


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIVEKIT_API_KEY", raising=False)
    monkeypatch.delenv("LIVEKIT_API_SECRET", raising=False)
    with pytest.raises(ValidationError, match="livekit_api_key"):
        TokenserverSettings()
