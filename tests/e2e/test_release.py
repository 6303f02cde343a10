"""`make release-check`, whole: what was installed from the wheel is spoken with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from devstack.install.tools import LIVEKIT, REDIS
from devstack.settings import REPO
from tests.support.servers import lacking, neutral_environment, program

pytestmark = pytest.mark.timeout(600)


@pytest.mark.usefixtures("built_pages")
def test_the_wheel_and_the_pages_hold_a_conversation(tmp_path: Path) -> None:
    env = neutral_environment() | {
        REDIS.setting: str(program(REDIS)),
        LIVEKIT.setting: str(program(LIVEKIT)),
        "VOICEFLEET_RUN_DIR": str(tmp_path / "run"),
        # Nothing is downloaded: uv's cache has what `make setup` installed.
        "UV_OFFLINE": "1",
    }
    done = subprocess.run(
        [
            *(sys.executable, "-m", "devstack", "release-check", "--without-audit"),
            *("--out", str(tmp_path / "dist")),
        ],
        cwd=REPO,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=550,
    )
    if "the step packages failed" in done.stdout:
        lacking("uv's cache lacks packages of the locks: run `make release-check` once")
    assert done.returncode == 0, done.stdout
    steps = {
        line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if line[:2] == "  "
    }
    assert [steps[name] for name in ("origin", "openapi", "page", "conversation")] == ["ok"] * 4
    assert [steps[name] for name in ("redis", "livekit", "worker")] == ["stopped"] * 3
    assert (tmp_path / "dist").is_dir()
