"""Which files of a build are served, each under one path. Nothing of a request takes part in that.

The folder is looked at once, when the server starts: later requests ask a table, not a disk.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

#: A build of ours has a few; more than this is another folder than was meant.
MAX_BYTES = 32 * 1024 * 1024
MAX_FILES = 1000

_START = "index.html"
#: Pages that have a path of their own; all else is found under its name.
_PATHS = {_START: "/", "console.html": "/console"}
#: No path with an escape is known here (`PlainPaths`).
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_UNBUILT = f"has no {_START}: build the pages with `make run`, or with `npm run build` in web/"


def served_files(folder: Path) -> dict[str, Path]:
    """Return the files of a build by the path that each is served at.

    Names with a dot in front and source maps are left out: they are nobody's business. Raises
    ValueError for a folder that is no build, or has what no build has: links, odd names, too much.
    """
    try:
        return _served(folder)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None


def _served(folder: Path) -> dict[str, Path]:
    if not (folder / _START).is_file():
        raise ValueError(_UNBUILT)
    found: dict[str, Path] = {}
    total_bytes = 0
    for file in _files_below(folder):
        name = file.relative_to(folder).as_posix()
        found[_PATHS.get(name, f"/{name}")] = file
        total_bytes += file.stat().st_size
        if len(found) > MAX_FILES or total_bytes > MAX_BYTES:
            raise ValueError(
                f"has more than {MAX_FILES} files, or {MAX_BYTES} bytes: it is no build of web/"
            )
    return found


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the files that are to be served. A link could lead to any other file: it is refused."""
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        shown = [name for name in names if not name.startswith(".") and not name.endswith(".map")]
        for name in (*folders, *sorted(shown)):
            path = Path(parent, name)
            if not _PLAIN_NAME.fullmatch(name):
                raise ValueError(f"has {name!r}, a name that an address cannot have as it is")
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise ValueError(f"has {name}, which is a link or no file: copy the build instead")
        yield from (Path(parent, name) for name in sorted(shown))


def _raise(error: OSError) -> None:
    raise error
