"""A Dockerfile, as data: stages of instructions.

Reads what ours use: comments, continued lines, flags, the JSON form, ARG and ENV. Whatever else it
meets (heredocs, parser directives, ONBUILD) it refuses.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devstack.errors import DevstackError

KNOWN = frozenset(
    {"FROM", "ARG", "ENV", "LABEL", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "VOLUME"}
    | {"HEALTHCHECK", "ENTRYPOINT", "CMD"}
)
_FLAG = re.compile(r"--([a-z-]+)=(\S+)\s*")
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_DIRECTIVE = re.compile(r"#\s*(syntax|escape|check)\s*=", re.IGNORECASE)
_STAGE = re.compile(r"(\S+)(?:\s+[aA][sS]\s+(\S+))?")


class NotUnderstood(DevstackError):
    """Raised for what is in a Dockerfile and cannot be read, or is wrong."""


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word, its flags as (name, value), and the rest, unexpanded."""

    word: str
    rest: str
    flags: tuple[tuple[str, str], ...] = ()
    line: int = 0

    def flag(self, name: str) -> str | None:
        """Return the value of a flag; None without it."""
        return dict(self.flags).get(name)

    @property
    def exec_form(self) -> tuple[str, ...] | None:
        """Return the words of a JSON form; None for the shell form."""
        return _json_words(self.rest)


@dataclass(frozen=True)
class Stage:
    """What one FROM begins. `base` is an image, or the name of a stage before."""

    base: str
    name: str | None
    instructions: tuple[Instruction, ...]

    def all(self, word: str) -> list[Instruction]:
        """Return the instructions with a word."""
        return [one for one in self.instructions if one.word == word]

    def last(self, word: str) -> Instruction | None:
        """Return the instruction with a word that holds in the end."""
        return next(iter(reversed(self.all(word))), None)


@dataclass(frozen=True)
class Dockerfile:
    """The stages; the last one is the image."""

    name: str
    stages: tuple[Stage, ...] = field(repr=False)

    @property
    def image(self) -> Stage:
        """The stage that is shipped."""
        return self.stages[-1]


def read_dockerfile(path: Path) -> Dockerfile:
    """Read a file. Raises `NotUnderstood`."""
    return parse_dockerfile(path.name, path.read_text(encoding="utf-8"))


def parse_dockerfile(name: str, text: str) -> Dockerfile:
    """Read a text. Raises `NotUnderstood`."""
    stages: list[Stage] = []
    for one in _instructions(name, text):
        if one.word == "FROM":
            if (match := _STAGE.fullmatch(one.rest)) is None:
                raise NotUnderstood(f"{name}:{one.line}: {one.rest}")
            stages.append(Stage(match[1], match[2], ()))
        elif not stages:
            raise NotUnderstood(f"{name}:{one.line}: {one.word} before the first FROM")
        else:
            last = stages[-1]
            stages[-1] = Stage(last.base, last.name, (*last.instructions, one))
    if not stages:
        raise NotUnderstood(f"{name} has no FROM")
    return Dockerfile(name, tuple(stages))


def _instructions(name: str, text: str) -> list[Instruction]:
    found: list[Instruction] = []
    parts: list[str] = []
    begins = 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if line.startswith("#"):
            if _DIRECTIVE.match(line):
                raise NotUnderstood(f"{name}:{number}: parser directives are not read here")
            continue
        if not line:
            continue
        begins = begins if parts else number
        parts.append(line.removesuffix("\\").strip())
        if not line.endswith("\\"):
            found.append(_instruction(name, begins, " ".join(parts)))
            parts = []
    if parts:
        raise NotUnderstood(f"{name}:{begins}: the last line goes on, and nothing comes")
    return found


def _instruction(name: str, line: int, text: str) -> Instruction:
    word, _, rest = text.partition(" ")
    word, rest = word.upper(), rest.strip()
    if word not in KNOWN:
        raise NotUnderstood(f"{name}:{line}: {word} is not read here")
    if word in {"RUN", "COPY"} and "<<" in rest:
        raise NotUnderstood(f"{name}:{line}: heredocs are not read here")
    flags = []
    while match := _FLAG.match(rest):
        flags.append((match[1], match[2]))
        rest = rest[match.end() :]
    return Instruction(word, rest, tuple(flags), line)


def _json_words(text: str) -> tuple[str, ...] | None:
    if not text.startswith("["):
        return None
    try:
        words = json.loads(text)
    except ValueError:  # as Docker does: what is no JSON is for the shell
        return None
    is_words = isinstance(words, list) and all(isinstance(word, str) for word in words)
    return tuple(words) if is_words else None


def expanded(text: str, values: Mapping[str, str]) -> str:
    """Put values in place of `$NAME` and `${NAME}`; nothing where there is none."""
    return _VARIABLE.sub(lambda match: values.get(match[1] or match[2], ""), text)


def assignments(instruction: Instruction, values: Mapping[str, str]) -> dict[str, str]:
    """Return what an ENV, LABEL or ARG sets; an ARG without a default sets nothing."""
    found = {}
    for word in shlex.split(instruction.rest):
        name, equals, value = word.partition("=")
        if equals:
            found[name] = expanded(value, values)
        elif instruction.word != "ARG":
            raise NotUnderstood(f"line {instruction.line}: {word} has no value")
    return found


def environment_of(stage: Stage, path: str) -> dict[str, str]:
    """Return the ENV of a stage, with the defaults of its arguments; its PATH begins as `path`."""
    env = {"PATH": path}
    args: dict[str, str] = {}
    for one in stage.instructions:
        if one.word == "ARG":
            args |= assignments(one, args | env)
        elif one.word == "ENV":
            env |= assignments(one, args | env)
    return env


def labels_of(stage: Stage) -> dict[str, str]:
    """Return the labels of a stage, with the defaults of its arguments."""
    args: dict[str, str] = {}
    labels: dict[str, str] = {}
    for one in stage.instructions:
        if one.word == "ARG":
            args |= assignments(one, args)
        elif one.word == "LABEL":
            labels |= assignments(one, args)
    return labels


def healthcheck_of(stage: Stage) -> tuple[str, ...] | None:
    """Return the command of a HEALTHCHECK in exec form; None without one."""
    check = stage.last("HEALTHCHECK")
    if check is None or not check.rest.startswith("CMD "):
        return None
    return _json_words(check.rest.removeprefix("CMD ").strip())
