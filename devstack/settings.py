"""The process environment and what it says about where things are.

Standard library only: `bootstrap` needs it before there is a virtual environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from devstack.dotenv import parse_dotenv
from devstack.errors import DevstackError

REPO = Path(__file__).resolve().parent.parent
"""The checkout."""
VENV = REPO / ".venv"
BARE_VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR", "TZ")
LEASH = REPO / "devstack" / "leash.py"
"""The program that holds every other one: run by its path, since it starts in milliseconds."""


def process_environment() -> dict[str, str]:
    """Return a copy of the environment: the only place of devstack that reads it."""
    return dict(os.environ)  # noqa: TID251 - this is devstack's settings.py


def load_environment(dotenv: Path = REPO / ".env") -> dict[str, str]:
    """Return `.env` overlaid by the real environment: what every command goes by."""
    real = process_environment()
    try:
        text = dotenv.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return real
    except UnicodeDecodeError as error:
        raise DevstackError(f"{dotenv} is not UTF-8 ({error.reason}): save it as UTF-8.") from error
    return parse_dotenv(text, real) | real


def bare_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return what any program needs of the environment: no settings, and no keys."""
    return {name: env[name] for name in BARE_VARIABLES if name in env}


def run_dir(env: Mapping[str, str]) -> Path:
    """Return where a running stack writes logs, data and generated configuration. Not in git."""
    if is_set(env, "VOICEFLEET_RUN_DIR"):
        return Path(env["VOICEFLEET_RUN_DIR"]).expanduser().absolute()
    return REPO / ".run"


def is_set(env: Mapping[str, str], variable: str) -> bool:
    """Say whether a variable is set to something."""
    return bool(env.get(variable, "").strip())


def cache_dir(env: Mapping[str, str]) -> Path:
    """Return the directory of downloaded and built tools; it may not exist yet."""
    if is_set(env, "VOICEFLEET_CACHE"):
        return Path(env["VOICEFLEET_CACHE"]).expanduser().absolute()
    home = Path(env.get("HOME") or "~").expanduser()
    base = Path(env["XDG_CACHE_HOME"]) if is_set(env, "XDG_CACHE_HOME") else home / ".cache"
    return base.absolute() / "voicefleet"
