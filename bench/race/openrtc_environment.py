"""The environment that OpenRTC runs in: made once, from `requirements/openrtc.lock`."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from devstack.install.environment import venv_python
from devstack.install.steps import install_lock, run_step
from devstack.install.uv import ensure_uv, uv_environment
from devstack.settings import REPO, cache_dir
from devstack.terminal import Terminal

_LOCK = REPO / "requirements" / "openrtc.lock"
#: Written last: an environment without it was left half made.
_DONE = "voicefleet.done"


def openrtc_python(env: Mapping[str, str], terminal: Terminal) -> Path:
    """Return its interpreter, after an installation of about a minute the first time.

    Raises DevstackError where it cannot be made: mostly a proxy or no network.
    """
    lock_hash = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    venv = cache_dir(env) / f"openrtc-{version}-{lock_hash}"
    cache_dir(env).mkdir(parents=True, exist_ok=True)
    with install_lock(cache_dir(env) / "openrtc.lock", terminal, "openrtc"):
        if not (venv / _DONE).exists():
            _make(venv, env, terminal)
    return venv_python(venv)


def _make(venv: Path, env: Mapping[str, str], terminal: Terminal) -> None:
    uv, quiet_env = str(ensure_uv(env, terminal)), uv_environment(env)
    shutil.rmtree(venv, ignore_errors=True)
    make = [uv, "venv", "--quiet", "--python", sys.executable, str(venv)]
    run_step(terminal, "openrtc", "creating", make, quiet_env)
    options = ("--quiet", "--require-hashes", "--python", str(venv_python(venv)))
    install = [uv, "pip", "install", *options, "-r", str(_LOCK)]
    seconds = run_step(terminal, "openrtc", "installing", install, quiet_env)
    (venv / _DONE).touch()
    terminal.step("openrtc", "installed", seconds, f"requirements/{_LOCK.name}")
