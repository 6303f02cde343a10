"""`make web-dev`: the pages of web/ as they are being edited, on the API of the running stack."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from devstack.install.web import WEB, ensure_web
from devstack.services.ports import LOOPBACK, WEB_DEV_PORT, take_port
from devstack.services.record import damaged, require_stack
from devstack.settings import process_environment, run_dir
from devstack.terminal import Terminal

VITE = Path("node_modules", "vite", "bin", "vite.js")
API_VARIABLE = "VOICEFLEET_API_URL"
"""Where web/vite.config.ts forwards calls of the API to."""


def serve_sources(env: Mapping[str, str], terminal: Terminal, web: Path = WEB) -> NoReturn:
    """Become Vite's server, which signals then reach; it has nothing of what `.env` says.

    Raises `NotRunning`, `PortTaken` or `ToolMissing`.
    """
    api_url = _api_url(run_dir(env))
    port = take_port(WEB_DEV_PORT, env)
    node = ensure_web(env, terminal, web)
    terminal.note(f"API of the pages: {api_url}")
    argv = [str(node.program), str(VITE)]
    argv += ["--host", LOOPBACK, "--port", str(port), "--strictPort"]
    vite_env = node.environment(process_environment()) | {API_VARIABLE: api_url}
    os.chdir(web)
    os.execve(argv[0], argv, vite_env)  # noqa: S606


def _api_url(directory: Path) -> str:
    """Return where the token server of the running stack is."""
    match require_stack(directory):
        case {"apiUrl": str(url)}:
            return url
    raise damaged()
