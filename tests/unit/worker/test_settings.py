"""What a worker accepts from its environment."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

from sessions.settings import explain
from worker.settings import WorkerSettings

SECRET = "s" * 40


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WorkerSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)


def test_the_credentials_are_enough() -> None:
    settings = WorkerSettings()
    assert (settings.agent_name, settings.pool_size, settings.worker_host) == (
        "voicefleet",
        3,
        "127.0.0.1",
    )


def test_each_worker_gets_a_name_of_its_own() -> None:
    assert WorkerSettings().worker_id != WorkerSettings().worker_id


def test_job_processes_get_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = WorkerSettings()
    monkeypatch.setenv("POOL_SIZE", "7")
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - our own bytes


@pytest.mark.parametrize("name", ["personas_dir", "tools_dir", "greeting_cache_dir"])
def test_a_home_directory_may_be_abbreviated(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name.upper(), "~/mine")
    assert getattr(WorkerSettings(), name) == Path.home() / "mine"
    monkeypatch.delenv(name.upper())
    assert not str(getattr(WorkerSettings(), name)).startswith("~")


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    shown = repr(WorkerSettings())
    assert SECRET not in shown
    assert "sk-very-secret" not in shown


def test_what_is_wrong_is_said_without_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_API_SECRET", "too-short")
    monkeypatch.setenv("POOL_SIZE", "many")
    with pytest.raises(ValidationError) as caught:
        WorkerSettings()
    text = explain("The worker", caught.value)
    assert "LIVEKIT_API_SECRET" in text
    assert "POOL_SIZE" in text
    assert "too-short" not in text
    assert "many" not in text


def test_a_warning_comes_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_CALL_S", "60")
    with pytest.raises(ValidationError, match="CALL_WARNING_S must be less than MAX_CALL_S"):
        WorkerSettings()
    monkeypatch.setenv("MAX_CALL_S", "0")
    assert WorkerSettings().call_warning_s


def test_a_lease_must_outlast_some_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTBEAT_INTERVAL_S", "20")
    with pytest.raises(ValidationError, match="AGENT_LEASE_S must be 3 times"):
        WorkerSettings()
