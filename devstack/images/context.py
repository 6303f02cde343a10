"""The build context: what `.dockerignore` lets in, and how COPY copies it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from devstack.images.dockerfile import NotUnderstood


@dataclass(frozen=True)
class Pattern:
    """A line of `.dockerignore`; one with `!` lets in again."""

    body: str
    expression: re.Pattern[str]
    lets_in: bool


@dataclass(frozen=True)
class Context:
    """A folder, as a build sees it."""

    folder: Path
    patterns: tuple[Pattern, ...]

    @classmethod
    def of(cls, folder: Path) -> Context:
        """Read the `.dockerignore` of a folder."""
        text = (folder / ".dockerignore").read_text(encoding="utf-8")
        return cls(folder, parse_ignored(text))

    def has(self, path: str) -> bool:
        """Say whether a file, named from the folder, is let in: the last line that fits decides."""
        is_in = True
        for pattern in self.patterns:
            if pattern.lets_in != is_in and pattern.expression.fullmatch(path):
                is_in = pattern.lets_in
        return is_in

    def _may_hold(self, folder: str) -> bool:
        """Say whether anything in a folder may be let in: the others are not looked through."""
        later = (one.body for one in self.patterns if one.lets_in)
        return self.has(folder) or any(body.startswith((f"{folder}/", "*")) for body in later)

    @cached_property
    def files(self) -> frozenset[str]:
        """All files that are let in, named from the folder."""
        found = set()
        for parent, folders, files in os.walk(self.folder):
            here = Path(parent).relative_to(self.folder)
            folders[:] = [name for name in folders if self._may_hold((here / name).as_posix())]
            links = [name for name in folders if (Path(parent) / name).is_symlink()]
            names = ((here / name).as_posix() for name in [*files, *links])
            found |= {name for name in names if self.has(name)}
        return frozenset(found)


def parse_ignored(text: str) -> tuple[Pattern, ...]:
    """Read the lines of a `.dockerignore`. A folder that fits, fits with all that is in it."""
    found = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        body = line.removeprefix("!").strip("/")
        expression = re.compile(_expression(body) + "(?:/.*)?")
        found.append(Pattern(body, expression, line.startswith("!")))
    return tuple(found)


def _expression(glob: str) -> str:
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]*\])", glob)
    classes = (part if part.startswith("[") else re.escape(part) for part in parts)
    return "".join(pieces.get(part, kept) for part, kept in zip(parts, classes, strict=True))


def copy_from_context(
    context: Context, sources: Sequence[str], target: str, root: Path, workdir: str
) -> None:
    """Do what COPY does with the context. Raises `NotUnderstood` for what is not in it."""
    for source in sources:
        name = PurePosixPath(source).as_posix().strip("/")
        prefix = "" if name == "." else f"{name}/"
        if name in context.files:
            _copy_file(context.folder / name, _place(root, workdir, target, sources, name))
            continue
        inside = [one for one in context.files if one.startswith(prefix)]
        if not inside:
            raise NotUnderstood(f"COPY {source}: the context has none")
        for one in inside:
            place = root / _absolute(workdir, target) / one.removeprefix(prefix)
            _copy_file(context.folder / one, place)


def copy_from_stage(
    other: Path, sources: Sequence[str], target: str, root: Path, workdir: str
) -> None:
    """Do what `COPY --from` does with another stage's root."""
    for source in sources:
        path = other / source.strip("/")
        if path.is_dir():
            place = root / _absolute(workdir, target)
            shutil.copytree(path, place, symlinks=True, dirs_exist_ok=True)
        elif path.is_file():
            _copy_file(path, _place(root, workdir, target, sources, path.name))
        else:
            raise NotUnderstood(f"COPY --from: the stage has no {source}")


def _place(root: Path, workdir: str, target: str, sources: Sequence[str], name: str) -> Path:
    place = root / _absolute(workdir, target)
    is_folder = target.endswith(("/", ".")) or len(sources) > 1 or place.is_dir()
    return place / PurePosixPath(name).name if is_folder else place


def _absolute(workdir: str, target: str) -> str:
    """Return a path in the image, without the first slash."""
    return os.path.normpath(PurePosixPath("/", workdir, target)).strip("/")


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)
