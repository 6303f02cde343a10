"""Nothing contacts a host outside this machine, not even to look up a name."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.settings import REPO, is_set, process_environment

pytestmark = pytest.mark.timeout(600)

#: By these onnxruntime knows that it runs in CI.
_TELL_OF_CI = {
    *("APPVEYOR", "BITBUCKET_BUILD_NUMBER", "BUILDKITE", "CI", "CIRCLECI", "CODEBUILD_BUILD_ID"),
    *("GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "TEAMCITY_VERSION", "TF_BUILD", "TRAVIS"),
}
_UNSHARE = ("unshare", "--user", "--map-root-user", "--net")


def offline(report: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with every way out leading to a listener, which writes the report.

    Not as in CI: there are libraries that call nobody there, and everywhere else they do.
    """
    env = {name: value for name, value in process_environment().items() if name not in _TELL_OF_CI}
    return subprocess.run(
        [*_UNSHARE, sys.executable, "-m", "tests.support.offline", str(report), *command],
        cwd=REPO,
        env=env,
        check=False,
        capture_output=True,
        text=True,
        timeout=550,
    )


@pytest.fixture(scope="module", autouse=True)
def _can_be_offline(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Needs Linux, unshare and ip, and the right to make a network namespace."""
    report = tmp_path_factory.mktemp("offline") / "report.json"
    problem = "needs `unshare` and `ip` (packages util-linux and iproute2)"
    if shutil.which("unshare") and shutil.which("ip"):
        tried = offline(report, "true")
        if tried.returncode == 0:
            return
        problem = f"no network namespace can be made here: {tried.stderr[-300:]}"
    if is_set(process_environment(), "CI"):
        pytest.fail(problem)
    pytest.skip(problem)


def test_the_listener_hears_whoever_calls_out(tmp_path: Path) -> None:
    """The control: a check that could not fail would prove nothing."""
    report = tmp_path / "report.json"
    program = (
        "import socket\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'?', ('198.51.100.7', 53))\n"
        "tcp = socket.socket(); tcp.setblocking(False); tcp.connect_ex(('198.51.100.8', 443))\n"
    )
    assert offline(report, sys.executable, "-c", program).returncode == 0
    assert {"198.51.100.7 udp 53", "198.51.100.8 tcp 443"} <= set(json.loads(report.read_text()))


def test_a_whole_conversation_stays_within_the_machine(tmp_path: Path) -> None:
    """The stack starts, seven questions are asked and answered, the stack stops."""
    passes_offline(
        tmp_path / "report.json",
        "tests/e2e/test_conversation.py::test_seven_questions_in_one_call",
    )


@pytest.mark.usefixtures("scripts", "chromium")
def test_a_page_and_its_browser_stay_within_the_machine(tmp_path: Path) -> None:
    """The same with LiveKit's JavaScript clients, which a page is built with first."""
    passes_offline(
        tmp_path / "report.json",
        "tests/e2e/clients/test_browser.py::test_a_page_talks_with_the_agent",
    )


def passes_offline(report: Path, test: str) -> None:
    """Run one test offline. It passes, and nothing has called out."""
    options = ("-q", "-p", "no:randomly", "-p", "no:cacheprovider")
    done = offline(report, sys.executable, "-m", "pytest", *options, test)
    assert done.returncode == 0, done.stdout[-8000:]
    assert "1 passed" in done.stdout
    assert json.loads(report.read_text()) == []
