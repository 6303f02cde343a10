"""A vulnerability, and nobody to ask, are two things; neither is a pass."""

from __future__ import annotations

import io
import sys

import pytest

from devstack.release import advisories
from devstack.release.advisories import Outcome, audit, outcome_of
from devstack.tasks import Stage
from devstack.terminal import Terminal

SAID: list[tuple[Outcome, int, str]] = [
    ("ok", 0, "No known vulnerabilities found"),
    ("ok", 0, "found 0 vulnerabilities"),
    ("vulnerable", 1, "Found 2 known vulnerabilities in 1 package\nName Version ID"),
    ("vulnerable", 1, "Found 1 known vulnerability in 1 package"),
    ("vulnerable", 1, "# npm audit report\n\nlodash  <4.17.21\n\n3 high severity vulnerabilities"),
    (
        "unasked",
        1,
        "ERROR:pip_audit._cli:uv: Dependency not found on PyPI and could not be aud…",
    ),
    ("unasked", 1, "ERROR:pip_audit._cli:Failed to connect to the vulnerability service"),
    ("unasked", 1, "npm warn audit 405\nnpm error audit endpoint returned an error"),
    ("unasked", -9, ""),
]


@pytest.mark.parametrize(("outcome", "code", "output"), SAID)
def test_a_finding_is_told_from_no_answer(outcome: Outcome, code: int, output: str) -> None:
    assert outcome_of(code, output) == outcome


def stage(name: str, output: str, code: int) -> Stage:
    return Stage(name, (sys.executable, "-c", f"print({output!r}); raise SystemExit({code})"))


def run(*stages: Stage) -> tuple[int, str]:
    stream = io.StringIO()
    return audit(stages, {}, Terminal({}, stream)), stream.getvalue()


def test_locks_that_nothing_is_known_of_pass() -> None:
    status, text = run(stage("tokens", "No known vulnerabilities found", 0))
    assert (status, text.split()[:2]) == (0, ["tokens", "ok"])


def test_a_known_vulnerability_fails_and_is_shown() -> None:
    status, text = run(
        stage("tokens", "Found 1 known vulnerability in 1 package\nurllib3 1.0 CVE-1", 1),
        stage("worker", "fine", 0),
    )
    assert status == 1
    assert "urllib3 1.0 CVE-1" in text
    assert "known vulnerabilities in tokens:" in text
    assert "nobody could be asked" not in text


def test_a_service_that_is_not_reached_fails_and_is_no_finding() -> None:
    status, text = run(stage("tokens", "no route to host", 1), stage("web", "405", 1))
    assert status == 1
    assert "nobody could be asked about tokens, web:" in text
    assert "Nothing is known of these locks, good or bad" in text
    assert "known vulnerabilities in tokens" not in text


def test_a_program_that_is_missing_asks_nobody() -> None:
    status, text = run(Stage("tokens", ("/nowhere/pip-audit",)))
    assert status == 1
    assert "'/nowhere/pip-audit': run `make setup`." in text


def test_who_is_asked_and_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(advisories, "WITHIN_S", 0.1)
    argv = (sys.executable, "-c", "import threading; threading.Event().wait()")
    status, text = run(Stage("tokens", argv))
    assert status == 1
    assert "nobody could be asked about tokens" in text
