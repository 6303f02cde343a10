"""`make release-check`: what is built here is released, and what lacks something is not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from devstack.release import trial
from devstack.release.build import release_version
from devstack.release.contents import git
from devstack.release.pins import IMAGES
from devstack.release.trial import Trial, TrialFailed
from devstack.services.config import StackConfig
from devstack.services.keys import Keys
from devstack.services.ports import random_ports
from devstack.settings import REPO
from devstack.terminal import Terminal
from tests.support.servers import neutral_environment

QUICK = ("release-check", "--quick", "--without-audit")
NEEDED = ("devstack", "docs/licences.md", "web/package-lock.json", "requirements", "pyproject.toml")
NOT_NEEDED = ("tests/", "bench/", "web/", "deploy/", "docs/")


@dataclass(frozen=True)
class Checkout:
    """A copy of this checkout, of whose state git knows."""

    folder: Path

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run a command of devstack there; return its exit status and what it says."""
        done = subprocess.run(
            [sys.executable, "-m", "devstack", *arguments],
            cwd=self.folder,
            env=neutral_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=100,
        )
        return done.returncode, done.stdout

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file."""
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text
        (self.folder / name).write_text(text.replace(old, new), encoding="utf-8")

    @property
    def dist(self) -> set[str]:
        """The names of what was put into dist/."""
        found = (self.folder / "dist").rglob("*")
        return {path.name for path in found if path.is_file()}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder = tmp_path / "checkout"
    for name in git("ls-files").splitlines():
        if (name.startswith(NEEDED) or not name.startswith(NOT_NEEDED)) and os.path.lexists(
            REPO / name
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPO / name, folder / name)
    git("init", "--quiet", cwd=folder)
    git("add", "--all", cwd=folder)
    author = ("-c", "user.name=Test", "-c", "user.email=test@localhost")
    git(*author, "commit", "--quiet", "-m", "All", cwd=folder)
    return Checkout(folder)


def test_what_is_in_git_is_built_looked_into_and_put_into_dist(checkout: Checkout) -> None:
    status, said = checkout.run(*QUICK)
    assert status == 0, said
    version = release_version()
    assert checkout.dist == {
        f"voicefleet-{version}-py3-none-any.whl",
        f"voicefleet-{version}.tar.gz",
        *(f"voicefleet-{name}-{version}.cdx.json" for name in (*IMAGES, "web")),
    }
    assert "nothing was installed or run (--quick): this is no release yet." in said
    assert "nobody was asked for vulnerabilities (--without-audit)" in said
    assert "a trial, not a release" not in said


LACKS = {
    "Lua": ("pyproject.toml", "[tool.hatch.build]\n", '[tool.hatch.build]\nexclude = ["*.lua"]\n'),
    "an entry": ("CHANGELOG.md", f"## [{release_version()}]", "## [0.0.1]"),
    "a licence": ("docs/licences.md", "| piper-tts | GPL-3.0-or-later |", "| piper-tts | MIT |"),
    "a version": ("telemetry/version.py", f'"{release_version()}"', '"99.0.0"'),
    "the sdist": ("pyproject.toml", '"CHANGELOG.md" = "CHANGELOG.md"', ""),
}
REFUSALS = {
    "Lua": "-py3-none-any.whl is not to be released:\n  missing: sessions/lua/admit.lua",
    "an entry": f"no entry `## [{release_version()}]",
    "a licence": "docs/licences.md does not fit the locks: run `make licences`",
    "a version": "no entry `## [99.0.0]",
    "the sdist": "missing: CHANGELOG.md",
}


@pytest.mark.parametrize("lack", REFUSALS)
def test_what_lacks_something_is_not_released(checkout: Checkout, lack: str) -> None:
    checkout.edit(*LACKS[lack])
    status, said = checkout.run(*QUICK)
    assert status == 1, said
    assert REFUSALS[lack] in said
    assert "a trial, not a release" in said
    assert checkout.dist == set()


def test_what_nobody_committed_is_not_released(checkout: Checkout) -> None:
    (checkout.folder / "worker" / "notes.txt").write_text("mine", encoding="utf-8")
    status, said = checkout.run(*QUICK)
    assert (status, "not to be in it: worker/notes.txt" in said) == (1, True), said


def test_a_key_of_this_machine_is_not_released_and_not_told(checkout: Checkout) -> None:
    key = "a-key-that-nobody-else-has"
    (checkout.folder / ".env").write_text(f"ADMIN_API_KEY={key}\n", encoding="utf-8")
    checkout.edit("telemetry/version.py", "VERSION =", f'KEY = "{key}"\nVERSION =')
    status, said = checkout.run(*QUICK)
    assert status == 1
    assert "telemetry/version.py holds ADMIN_API_KEY" in said
    assert key not in said


def test_bills_are_written_by_themselves_and_the_page_of_licences_is_compared(
    checkout: Checkout,
) -> None:
    status, said = checkout.run("sbom")
    assert status == 0, said
    (bill,) = (checkout.folder / "dist" / "sbom").glob("voicefleet-localvoice-*.cdx.json")
    components = json.loads(bill.read_text(encoding="utf-8"))["components"]
    (piper,) = (one for one in components if one["name"] == "piper-tts")
    assert piper["licenses"] == [{"license": {"id": "GPL-3.0-or-later"}}]
    assert checkout.run("licences", "--check")[0] == 0
    checkout.edit(*LACKS["a licence"])
    assert checkout.run("licences", "--check")[0] == 1
    assert checkout.run("licences")[0] == 0
    assert checkout.run("licences", "--check")[0] == 0


@pytest.mark.parametrize("command", ["release-check", "sbom", "licences"])
def test_each_command_has_a_help(checkout: Checkout, command: str) -> None:
    status, said = checkout.run(command, "--help")
    assert status == 0
    assert f"usage: python -m devstack.release {command}" in said


def test_the_services_of_a_trial_are_those_that_were_installed(tmp_path: Path) -> None:
    said = StringIO()
    one = Trial(folder=tmp_path, env=neutral_environment(), terminal=Terminal({}, said))
    venv.create(tmp_path / "venv", symlinks=True)
    one.home.mkdir()
    with pytest.raises(TrialFailed, match="does not run where only the wheel is") as failure:
        one.ask_modules(release_version())
    assert "No module named 'tokenserver'" in failure.value.log_tail
    for name in ("tokenserver", "worker"):
        (one.home / f"{name}.py").touch()
    with pytest.raises(TrialFailed) as failure:
        one.ask_modules(release_version())
    assert "tokenserver is of" in failure.value.log_tail
    one.keep_logs(tmp_path / "kept")
    assert (tmp_path / "kept" / "asked-origin.log").is_file()


async def test_a_question_without_an_answer_fails_a_trial(tmp_path: Path) -> None:
    config = StackConfig(
        run_dir=tmp_path, ports=random_ports(), keys=Keys.generate(), env=neutral_environment()
    )
    (tmp_path / "logs").mkdir()
    with pytest.raises(TrialFailed, match="a question had no answer") as failure:
        await trial._ask(config, Terminal({}, StringIO()))
    assert "no stack is running" in failure.value.log_tail


def test_a_wheel_is_the_same_whenever_it_is_built(checkout: Checkout) -> None:
    built = []
    for out in ("one", "two"):
        status, said = checkout.run(*QUICK, "--out", str(checkout.folder / out))
        assert status == 0, said
        (wheel,) = (checkout.folder / out).glob("*.whl")
        built.append(wheel.read_bytes())
        with zipfile.ZipFile(wheel) as packed:
            assert packed.testzip() is None
    assert built[0] == built[1]
