"""What has to hold for each of our Dockerfiles and is no matter of form, which hadolint knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from devstack.images.context import Context
from devstack.images.dockerfile import (
    Dockerfile,
    Stage,
    assignments,
    environment_of,
    healthcheck_of,
    labels_of,
)

LABELS = frozenset(
    f"org.opencontainers.image.{name}"
    for name in ("title", "description", "version", "revision", "source", "licenses")
)
_SECRET = re.compile(r"(?:^|_)(?:KEY|PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIALS?)S?$")
_VERSIONED = re.compile(r"[^:@]+:v?\d+\.\d+[\w.-]*(?:@sha256:[0-9a-f]{64})?")
_USER = re.compile(r"[1-9]\d*:[1-9]\d*")
_TOOLS = re.compile(r"\b(?:apt|apt-get|apk|cc|curl|gcc|g\+\+|make|npm|pip|uv|wget)\b")
_PORT = re.compile(r"get\('(\w+_PORT)', '(\d+)'\)")
#: What brings packages, and what it has to say besides.
_LOCKED = {r"\bpip (?:install|sync)\b": "--require-hashes", r"\bnpm (?:ci|i|install)\b": "npm ci "}


def broken_rules(file: Dockerfile, context: Context) -> list[str]:
    """Return what is wrong with a Dockerfile, in words; nothing when all is well."""
    of_image = [f"{file.name}: {problem}" for rule in _RULES for problem in rule(file.image)]
    of_stages = [f"{file.name}: {problem}" for rule in _STAGE_RULES for problem in rule(file)]
    return [*of_image, *of_stages, *(f"{file.name}: {one}" for one in _packages(file, context))]


def _user(image: Stage) -> Iterator[str]:
    user = image.last("USER")
    if user is None or not _USER.fullmatch(user.rest):
        yield "USER is to be numbers, uid:gid, and not root's"


def _entrypoint(image: Stage) -> Iterator[str]:
    entrypoint = image.last("ENTRYPOINT")
    if entrypoint is None or entrypoint.exec_form is None:
        yield "ENTRYPOINT is to be a list: a shell would not pass SIGTERM on"
    if image.last("CMD"):
        yield "CMD would be added to the ENTRYPOINT"


def _health(image: Stage) -> Iterator[str]:
    check = healthcheck_of(image)
    if check is None or "/readyz" not in check[-1]:
        yield "HEALTHCHECK is to be a list that asks /readyz"
        return
    exposed = [one.rest for one in image.all("EXPOSE")]
    if [port for _, port in _PORT.findall(check[-1])] != exposed:
        yield f"HEALTHCHECK asks another port than EXPOSE says: {exposed}"


def _labels(image: Stage) -> Iterator[str]:
    labels = labels_of(image)
    for name in sorted(LABELS - {name for name, value in labels.items() if value}):
        yield f"LABEL {name} is missing"


def _final(image: Stage) -> Iterator[str]:
    for one in image.all("RUN"):
        if _TOOLS.search(one.rest):
            yield f"line {one.line}: nothing is installed or compiled in the image itself"
    for one in image.all("COPY"):
        if one.flag("from") is None:
            yield f"line {one.line}: the image takes files from stages only"


def _bases(file: Dockerfile) -> Iterator[str]:
    if len(file.stages) < 2:
        yield "one stage: what builds would be shipped"
    for stage in file.stages:
        if not _VERSIONED.fullmatch(stage.base):
            yield f"FROM {stage.base}: name a version"


def _secrets(file: Dockerfile) -> Iterator[str]:
    for stage in file.stages:
        for one in (*stage.all("ENV"), *stage.all("ARG")):
            names = {word.partition("=")[0] for word in one.rest.split()}
            names |= assignments(one, {}).keys()
            for name in sorted(names):
                if _SECRET.search(name):
                    yield f"line {one.line}: {name} would be in the image for everybody"


def _locks(file: Dockerfile) -> Iterator[str]:
    for stage in file.stages:
        for one in stage.all("RUN"):
            for command in one.rest.split("&&"):
                for brings, needs in _LOCKED.items():
                    if re.search(brings, command) and needs not in command:
                        yield f"line {one.line}: without {needs.strip()}, nothing is locked"
                if "npm" in command and "ci" in command and "--ignore-scripts" not in command:
                    yield f"line {one.line}: packages run no programs while they are installed"


def _packages(file: Dockerfile, context: Context) -> Iterator[str]:
    """Compare what is copied with what the module of the ENTRYPOINT imports, directly or not."""
    entrypoint = file.image.last("ENTRYPOINT")
    words = entrypoint.exec_form if entrypoint else None
    if not words:  # which another rule tells
        return
    if words[:-1] != ("python", "-m"):
        yield "ENTRYPOINT is to be python -m PACKAGE"
        return
    sources = [word for stage in file.stages for one in stage.all("COPY") if not one.flag("from")
               for word in one.rest.split()[:-1]]  # fmt: skip
    copied = {name for name in sources if (context.folder / name / "__init__.py").exists()}
    needed = imported_packages(words[-1], context.folder)
    for name in sorted(needed - copied):
        yield f"{name} is imported and not copied"
    for name in sorted(copied - needed):
        yield f"{name} is copied and not imported"
    for name in sorted(needed):
        if f"{name}/__init__.py" not in context.files:
            yield f"{name} is kept out by .dockerignore"


def imported_packages(package: str, root: Path) -> set[str]:
    """Return a package of ours with those that any module of it imports, and so on."""
    found: set[str] = set()
    waiting = [package]
    while waiting:
        name = waiting.pop()
        if name not in found and (root / name / "__init__.py").exists():
            found.add(name)
            for path in (root / name).rglob("*.py"):
                waiting += _imports(ast.parse(path.read_text(encoding="utf-8")))
    return found


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield the first names of what is imported when the code runs, not for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.Import(names=names):
                yield from (one.name.partition(".")[0] for one in names)
            case ast.ImportFrom(module=str(module)):
                yield module.partition(".")[0]
            case _:
                yield from _imports(node)


def settings_of(file: Dockerfile) -> dict[str, str]:
    """Return what an image sets of its own, without what every image with Python sets."""
    common = {"HOME", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    env = environment_of(file.image, path="")
    return {name: value for name, value in env.items() if name not in common}


_RULES: tuple[Callable[[Stage], Iterator[str]], ...] = (
    *(_user, _entrypoint, _health, _labels, _final),
)
_STAGE_RULES: tuple[Callable[[Dockerfile], Iterator[str]], ...] = (_bases, _secrets, _locks)
