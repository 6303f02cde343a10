"""What tests are given. Nothing is installed or run here."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from devstack import cli, tasks
from devstack.install.pages import PAGES_SETTING
from devstack.install.tools import LIVEKIT, PROMTOOL, REDIS
from devstack.services.runner import Tools
from devstack.tasks import Stage
from devstack.terminal import Terminal

Given = list[tuple[list[str], Mapping[str, str]]]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Collects the names of the stages that are run, and their environment."""
    runs: Given = []

    def run(stages: Sequence[Stage], env: Mapping[str, str], _: Terminal) -> int:
        runs.append(([stage.name for stage in stages], env))
        return 0

    tools = Tools(redis=Path("/redis"), livekit=Path("/livekit"))
    monkeypatch.setattr(tasks, "run_stages", run)
    monkeypatch.setattr(cli, "ensure_tools", lambda *_: tools)
    monkeypatch.setattr(cli, "ensure_web", lambda *_: None)
    monkeypatch.setattr(cli, "ensure_pages", lambda *_: Path("/web/dist"))
    monkeypatch.setattr(cli, "ensure_chromium", lambda *_: None)
    monkeypatch.setattr(cli, "prometheus_for_tests", lambda *_: {PROMTOOL.setting: "/promtool"})
    monkeypatch.setattr(cli, "path_for_tests", lambda *_: "/kustomize:/bin")
    monkeypatch.setattr(cli, "process_environment", lambda: {"PATH": "/bin"})
    return runs


def run(command: str) -> None:
    arguments = argparse.Namespace(command=command)
    assert cli.COMMANDS[command](arguments, [], {"CI": "true"}, Terminal({})) == 0


@pytest.mark.parametrize("command", ["integration", "e2e", "chaos", "test"])
def test_tests_are_given_the_servers_and_the_pages(given: Given, command: str) -> None:
    run(command)
    ((_, env),) = given
    assert env == {
        "PATH": "/kustomize:/bin",
        REDIS.setting: "/redis",
        LIVEKIT.setting: "/livekit",
        PAGES_SETTING: "/web/dist",
        PROMTOOL.setting: "/promtool",
    }


def test_tests_without_input_or_output_are_given_nothing(given: Given) -> None:
    run("unit")
    assert given == [(["web unit", "unit"], {"PATH": "/bin"})]
