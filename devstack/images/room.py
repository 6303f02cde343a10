"""A folder that a program takes for the whole system, for lack of a container engine.

A room has a mount namespace and a process namespace of its own (unshare(1)), so its program is
process 1, as in a container, and nothing of it is left when that ends. The system's programs and
libraries, `/etc`, and this machine's Python and Node.js are lent to it read-only, in place of those
of the base image. The network is that of the machine. Needs root.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from devstack.errors import ToolMissing
from devstack.install.node import find_node
from devstack.settings import process_environment

LENT = ("/usr", "/etc")
LINKED = ("bin", "lib", "lib32", "lib64", "sbin")
TEMPORARY = "/tmp"  # noqa: S108 - that of a room, whose root is ours
"""Where programs of a read-only room may write."""
STAND_IN = "stand-in"
"""The folder in a room with what its base image would bring: python, pip, node, npm."""
PATH = f"/{STAND_IN}/bin:/usr/local/bin:/usr/bin:/bin"
NEEDED = ("unshare", "chroot", "setpriv", "mount")
_TRIED_WITHIN_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Room:
    """Where a program runs.

    `root` is what it takes for `/`. `shared` are folders of the machine, by where they are seen:
    caches and volumes, which it may write. In a `read_only` one it may write nothing else but
    `/tmp`, which is empty at its start and gone with it. `user` is "uid:gid".
    """

    root: Path
    workdir: str = "/"
    user: str = "0:0"
    read_only: bool = False
    shared: Mapping[str, Path] = field(default_factory=dict)

    def command(self, argv: Sequence[str]) -> tuple[str, ...]:
        """Return the command line that runs `argv` in here; it ends with its exit status.

        Start it with `env`: nobody sees keys among arguments.
        """
        options = ("--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")
        return (_program("unshare"), *options, "/bin/sh", "-ec", self._script(argv))

    def _script(self, argv: Sequence[str]) -> str:
        root, mount = str(self.root), _program("mount")
        lines = [[mount, "--bind", root, root]]
        if self.read_only:
            lines.append([mount, "-o", "remount,bind,ro", root])
            lines.append([mount, "-t", "tmpfs", "-o", "mode=1777", "tmpfs", f"{root}{TEMPORARY}"])
        for path in lent():
            # Its place may be below what has just been covered: a checkout in /tmp.
            lines.append([_program("mkdir"), "-p", f"{root}{path}"])
            lines.append([mount, "--bind", path, f"{root}{path}"])
            lines.append([mount, "-o", "remount,bind,ro", f"{root}{path}"])
        lines.append([mount, "--rbind", "/dev", f"{root}/dev"])
        lines.append([mount, "-t", "proc", "proc", f"{root}/proc"])
        lines += [[mount, "--bind", str(path), f"{root}{at}"] for at, path in self.shared.items()]
        uid, _, gid = self.user.partition(":")
        drop = ["--reuid", uid, "--regid", gid or uid, "--clear-groups", "--no-new-privs"]
        drop += [] if uid == "0" else ["--bounding-set=-all", "--inh-caps=-all"]
        inside = f"cd {shlex.quote(self.workdir)} && exec {shlex.join(argv)}"
        enter = ["exec", _program("chroot"), root, "/usr/bin/setpriv", *drop]
        return "\n".join(map(shlex.join, [*lines, [*enter, "/bin/sh", "-c", inside]]))


def furnish(root: Path) -> None:
    """Make an empty root: where things are lent, and links to Python, pip, Node.js and npm."""
    for path in (TEMPORARY, "/dev", "/proc", "/root", f"/{STAND_IN}/bin", *lent()):
        (root / path.strip("/")).mkdir(parents=True, exist_ok=True)
    root.chmod(0o755)
    (root / TEMPORARY.strip("/")).chmod(0o1777)
    for name in LINKED:
        link = Path("/", name)
        if link.is_symlink():
            (root / name).symlink_to(link.readlink())
    programs = root / STAND_IN / "bin"
    for name in ("python", "python3"):
        (programs / name).symlink_to(_base_python())
    _write_program(programs / "pip", f"PYTHONPATH=/{STAND_IN}/packages exec python -m pip")
    node = find_node(process_environment())
    (programs / "node").symlink_to(node.program)
    _write_program(programs / "npm", f"exec {shlex.join(node.npm)}")


def _write_program(path: Path, command: str) -> None:
    path.write_text(f'#!/bin/sh\n{command} "$@"\n', encoding="utf-8")
    path.chmod(0o755)


def lacking() -> list[str]:
    """Say what this machine lacks for rooms; nothing when it can have them."""
    found = [f"the program {name}" for name in NEEDED if shutil.which(name) is None]
    if not found and not _may_mount():
        found.append("root's rights (a mount namespace of one's own)")
    if not all(Path("/", name).is_symlink() for name in ("bin", "lib")):
        found.append("a system whose /bin and /lib are in /usr")
    if _pip() is None:
        found.append("pip, which the development environment brings")
    return found


@cache
def _may_mount() -> bool:
    """Say whether we may mount where nobody else sees it: root of a container often may not."""
    if os.geteuid() != 0:
        return False
    try:
        tried = subprocess.run(
            (
                *(_program("unshare"), "--mount", "--pid", "--fork", "--propagation", "private"),
                *(_program("mount"), "-t", "tmpfs", "tmpfs", tempfile.gettempdir()),
            ),
            capture_output=True,
            timeout=_TRIED_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


def must_be_possible() -> None:
    """Raise `ToolMissing` where there can be no rooms."""
    if missing := lacking():
        raise ToolMissing(
            f"the images cannot be tried here, for lack of {', '.join(missing)}. "
            "On such a machine build them: docs/deploy/containers.md."
        )


def lent() -> tuple[str, ...]:
    """Return the folders of the machine that are seen in each room, and cannot be changed there."""
    besides = [sys.base_prefix, str(find_node(process_environment()).program.parents[1])]
    return (*LENT, *sorted({path for path in besides if not path.startswith("/usr")}))


def _program(name: str) -> str:
    return shutil.which(name) or name


def _base_python() -> Path:
    return Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"


def _pip() -> Path | None:
    spec = find_spec("pip")
    return Path(spec.origin).parent if spec and spec.origin else None


def pip_packages() -> dict[str, Path]:
    """Return where pip is seen in the room of a build."""
    pip = _pip()
    return {f"/{STAND_IN}/packages/pip": pip} if pip else {}
