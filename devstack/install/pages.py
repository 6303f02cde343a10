"""The web pages, built anew whenever the sources in web/ have changed.

A build works on a copy of the sources inside web/, where Node.js still finds the packages of web/.
So what is edited meanwhile is not half in it, and nobody sees pages that are half built.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from devstack.errors import BuildFailed
from devstack.install.node import Node
from devstack.install.steps import StepFailed, run_step
from devstack.install.web import WEB, ensure_web, web_lock
from devstack.settings import bare_environment
from devstack.terminal import Terminal

SOURCES = (
    *("package.json", "package-lock.json", "tsconfig*.json", "vite*.config.*"),
    *("*.html", "src/**/*", "public/**/*"),
)
"""What the pages are made of. A build that needs anything else fails, as it is not in the copy."""
DIST = "dist"
STAMP = ".voicefleet.stamp"
"""Inside dist, whose hidden files are not served: says which sources it was built from."""
PAGES_SETTING = "VOICEFLEET_WEB_DIR"
"""Names the built pages to the tests; `make test` and its like set it."""
WORKSHOP = ".building"
PREVIOUS = "previous"


def are_pages_current(web: Path = WEB) -> bool:
    """Say whether there are pages, built from the sources as they are."""
    try:
        return (web / DIST / STAMP).read_bytes() == _stamp_of(web)
    except OSError:
        return False


def ensure_pages(env: Mapping[str, str], terminal: Terminal, web: Path = WEB) -> Path:
    """Return the folder with the pages, built first unless it is of the sources as they are.

    Raises `ToolMissing` without Node.js or the npm packages, `BuildFailed` when they do not do it.
    """
    dist = web / DIST
    if are_pages_current(web):
        return dist
    try:
        node = ensure_web(env, terminal, web)
        with web_lock(web, terminal, "pages"):
            if not are_pages_current(web):
                _build(node, web, env, terminal)
    except OSError as error:
        raise BuildFailed(
            f"the web pages could not be built: {error}. See that web/ can be read and written."
        ) from error
    return dist


def _build(node: Node, web: Path, env: Mapping[str, str], terminal: Terminal) -> None:
    """Build the pages and put them in their place, which is empty for a moment and never half full.

    Only with what any program needs of the environment: a NODE_ENV or VITE_… would be built in.
    """
    with _workshop(web) as workshop:
        stamp = _stamp_of(workshop)
        argv = [str(node.program), "--run", "build"]
        build_env = node.environment(bare_environment(env))
        try:
            seconds = run_step(terminal, "pages", "building", argv, build_env, cwd=workshop)
        except StepFailed as error:
            raise BuildFailed(
                "the web pages could not be built: above is the end of what `npm run build` says "
                "in web/. Correct that there.",
                log_tail=error.log_tail,
            ) from None
        built = workshop / DIST
        if not (built / "index.html").is_file():
            raise BuildFailed("`npm run build` in web/ wrote no dist/index.html: correct that.")
        (built / STAMP).write_bytes(stamp)
        if (web / DIST).exists():
            (web / DIST).replace(workshop / PREVIOUS)
        built.replace(web / DIST)
    terminal.step("pages", "built", seconds, f"web/{DIST}")


@contextmanager
def _workshop(web: Path) -> Iterator[Path]:
    """Copy the sources into a folder inside web/, which is removed afterwards."""
    workshop = web / WORKSHOP
    if workshop.exists():  # of a build that was killed
        shutil.rmtree(workshop)
    try:
        for path in _sources(web):
            copy = workshop / path.relative_to(web)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        yield workshop
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _sources(web: Path) -> list[Path]:
    """Return the files that the pages are made of, always in the same order."""
    found = {path for pattern in SOURCES for path in web.glob(pattern)}
    return sorted(path for path in found if path.is_file())


def _stamp_of(web: Path) -> bytes:
    digest = hashlib.sha256()
    for path in _sources(web):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(web).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest().encode()
