"""Flags, variables and defaults say the same."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from localvoice.arguments import SECRETS, build_parser, parse_settings
from localvoice.settings import Settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's own."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LOCALVOICE_{name.upper()}", raising=False)


def test_every_setting_but_secrets_has_a_flag() -> None:
    flags = {action.dest for action in build_parser()._actions} - {"help"}

    assert flags == set(Settings.model_fields) - SECRETS


def test_secrets_are_exactly_the_secret_fields() -> None:
    secret = {name for name, f in Settings.model_fields.items() if "Secret" in str(f.annotation)}

    assert secret == SECRETS


def test_a_flag_beats_a_variable_beats_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_settings([]).port == 8010
    monkeypatch.setenv("LOCALVOICE_PORT", "9000")
    assert parse_settings([]).port == 9000
    assert parse_settings(["--port", "9001"]).port == 9001


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALVOICE_API_KEY", "")
    monkeypatch.setenv("LOCALVOICE_LLM_BASE_URL", "")

    assert Settings().api_key is None
    assert Settings().llm_base_url is None


def test_settings_are_frozen_and_keep_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALVOICE_API_KEY", "hunter2")
    settings = Settings()

    assert "hunter2" not in repr(settings)
    with pytest.raises(ValidationError):
        setattr(settings, "port", 1)  # noqa: B010 - the type checker knows, too


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--port", "0"),
        ("--port", "99999"),
        ("--stt-concurrency", "0"),
        ("--queue-limit", "-1"),
        ("--max-audio-s", "nan"),
        ("--max-audio-s", "inf"),
        ("--whisper-sha256", "abc"),
        ("--timezone", "Mars/Base"),
        ("--timezone", "../../etc/passwd"),
        ("--llm-base-url", "ftp://x"),
        ("--log-level", "LOUD"),
    ],
)
def test_unusable_values_are_named(
    flag: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_settings([flag, value])

    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert f"LOCALVOICE_{flag[2:].replace('-', '_').upper()}" in shown
