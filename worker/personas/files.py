"""Reads a folder of personas. A mistake in a file is said with the file and the key."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from worker.errors import Unusable
from worker.personas.persona import Persona

_SUFFIXES = frozenset({".toml", ".yaml", ".yml"})
_MAX_FILES = 100
_MAX_BYTES = 100_000
_MERGE = "tag:yaml.org,2002:merge"


def read_personas(folder: Path, tools: Collection[str]) -> dict[str, Persona]:
    """Return the personas of a folder by name; `tools` are the functions there are.

    Raises Unusable with a line for each mistake in each file.
    """
    personas: dict[str, Persona] = {}
    problems: list[str] = []
    for path in _files(folder):
        try:
            persona = _read(path)
        except Unusable as error:
            problems += error.problems
            continue
        problems += _unknown_tools(path, persona, tools)
        if persona.name in personas:
            problems.append(f"{path}: there is another file for {persona.name!r}")
        personas[persona.name] = persona
    if problems:
        raise Unusable(*problems)
    return personas


def _files(folder: Path) -> list[Path]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    except OSError as error:
        raise Unusable(f"PERSONAS_DIR: {folder}: {error.strerror}") from None
    if len(paths) > _MAX_FILES:
        raise Unusable(f"PERSONAS_DIR: {folder} has more than {_MAX_FILES} files")
    return paths


def _read(path: Path) -> Persona:
    try:
        content = _content(path)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise Unusable(f"{path}: {_one_line(error)}") from None
    if not isinstance(content, dict):
        raise Unusable(f"{path}: must hold keys and values")
    try:
        persona = Persona.model_validate({"name": path.stem, **content})
    except ValidationError as error:
        raise Unusable(*_mistakes(path, error)) from None
    if persona.name != path.stem:
        raise Unusable(f"{path}: name: is {persona.name!r}, but the file's name is the persona's")
    return persona


class _PlainLoader(yaml.SafeLoader):
    """YAML without merge keys: a short file could unfold into more than any memory holds."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        for key, _ in node.value:
            if key.tag == _MERGE:
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: << is not supported")


def _content(path: Path) -> Any:  # noqa: ANN401 - whatever the file says
    if not path.is_file():  # a pipe, for which reading would wait
        raise ValueError("is no file")
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ValueError(f"is larger than {_MAX_BYTES} bytes")
    text = data.decode("utf-8")
    if path.suffix == ".toml":
        return tomllib.loads(text)
    # It is made from a safe one.
    return yaml.load(text, _PlainLoader)  # noqa: S506


def _mistakes(path: Path, error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        yield f"{path}: {key[:100]}: {_words(problem)}"


def _words(problem: ErrorDetails) -> str:
    if problem["type"] == "extra_forbidden":
        return f"there is no such key; there are {', '.join(sorted(Persona.model_fields))}"
    return problem["msg"]


def _unknown_tools(path: Path, persona: Persona, tools: Collection[str]) -> Iterator[str]:
    there = ", ".join(sorted(tools)) or "none"
    for name in persona.tools or ():
        if name not in tools:
            yield f"{path}: tools: there is no tool {name[:100]!r}; there are {there}"


def _one_line(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        # Without the piece of the file that YAML would quote.
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split())[:300] or type(error).__name__
