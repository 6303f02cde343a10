"""How many bytes each instruction has added."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Snapshot = Mapping[str, tuple[int, int, int]]
"""Of each file: its size in bytes, when it was changed, its inode."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What one instruction of the last stage has added, before any packing."""

    instruction: str
    files: int
    size_bytes: int


def snapshot(root: Path) -> Snapshot:
    """Look at all files below a folder; links are not followed."""
    found = {}
    for parent, folders, files in os.walk(root):
        for name in [*files, *folders]:
            path = os.path.join(parent, name)
            seen = os.lstat(path)
            is_folder = name in folders and not os.path.islink(path)
            if not is_folder:
                found[os.path.relpath(path, root)] = (seen.st_size, seen.st_mtime_ns, seen.st_ino)
    return found


def layer_between(instruction: str, before: Snapshot, after: Snapshot) -> Layer:
    """Return what is there now that was not, or was otherwise."""
    added = [seen for name, seen in after.items() if before.get(name) != seen]
    return Layer(instruction=instruction, files=len(added), size_bytes=sum(s[0] for s in added))


SIZE_HEADER = ("image", "     size", " files", "instruction")


def size_rows(image: str, layers: Sequence[Layer]) -> Iterator[tuple[str, ...]]:
    """Yield rows of a table of sizes: the layers that have added anything, and their sum."""
    total = Layer(
        instruction="all of them",
        files=sum(one.files for one in layers),
        size_bytes=sum(one.size_bytes for one in layers),
    )
    for one in (*layers, total):
        if one.files:
            yield image, f"{shown_size(one.size_bytes):>9}", f"{one.files:>6}", one.instruction


def largest(site_packages: Path, count: int) -> list[tuple[str, int]]:
    """Return the folders and files of installed packages that take most, with their bytes."""
    sizes: dict[str, int] = {}
    for name, (size_bytes, _, _) in snapshot(site_packages).items():
        package = name.partition("/")[0]
        sizes[package] = sizes.get(package, 0) + size_bytes
    return sorted(sizes.items(), key=lambda one: (-one[1], one[0]))[:count]


def shown_size(size_bytes: int) -> str:
    """Show a size as people read it."""
    if size_bytes < 100_000:
        return f"{size_bytes / 1000:.1f} kB"
    return f"{size_bytes / 1_000_000:.1f} MB"
