"""Finds the tools: each public function of each file in a folder is one.

Those of `worker/tools/` come with the worker; `TOOLS_DIR` has those of whoever runs it. A file
whose name begins with an underscore is left alone, and so is such a function; where a file has
`__all__`, only that counts.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
import typing
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from livekit.agents import FunctionTool, function_tool
from livekit.agents.llm.utils import build_legacy_openai_schema, build_strict_openai_schema

import worker.tools
from worker.errors import Unusable
from worker.toolbox.running import Runner

#: What the API of OpenAI takes as the name of a function.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_TOOLS = 100
_VARIADIC = frozenset({inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD})


class Toolbox:
    """The tools of one process, by name."""

    def __init__(self, tools: dict[str, FunctionTool[..., Any]]) -> None:
        self._tools = tools

    @property
    def names(self) -> frozenset[str]:
        """What there is."""
        return frozenset(self._tools)

    def pick(self, names: Collection[str] | None) -> list[FunctionTool[..., Any]]:
        """Return the tools of these names that there are; all of them for None."""
        return [tool for name, tool in self._tools.items() if names is None or name in names]

    @classmethod
    def load(cls, folder: Path | None, deadline_s: float) -> Self:
        """Load the worker's own tools and those of a folder, which are run as Python.

        Raises Unusable with a line for each mistake.
        """
        runner, problems = Runner(deadline_s), list[str]()
        tools: dict[str, FunctionTool[..., Any]] = {}
        for place, load in (*_own(), *(_files(folder) if folder is not None else ())):
            try:
                functions = _functions(place, load())
            except Unusable as error:
                problems += error.problems
                continue
            for name, function in functions.items():
                if name in tools:
                    problems.append(f"{place}: {name}: there is another tool of this name")
                try:
                    tools[name] = _tool(function, runner)
                except Unusable as error:
                    problems += [f"{place}: {name}: {line}" for line in error.problems]
        if len(tools) > _MAX_TOOLS:
            problems.append(f"TOOLS_DIR: there are more than {_MAX_TOOLS} tools")
        if problems:
            raise Unusable(*problems)
        return cls(tools)


_Load = Callable[[], ModuleType]


def _own() -> Iterator[tuple[str, _Load]]:
    for found in pkgutil.iter_modules(worker.tools.__path__):
        name = f"{worker.tools.__name__}.{found.name}"
        yield name, partial(importlib.import_module, name)


def _files(folder: Path) -> Iterator[tuple[str, _Load]]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".py")
    except OSError as error:
        raise Unusable(f"TOOLS_DIR: {folder}: {error.strerror}") from None
    for path in paths:
        if not path.stem.startswith("_"):
            yield str(path), partial(_imported, path)


def _imported(path: Path) -> ModuleType:
    """Run a file. Raises Unusable for whatever it raises."""
    name = f"voicefleet_tools.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Unusable(f"{path}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # Where type hints are looked up that are written as text.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the file may do anything
        words = " ".join(str(error).split())[:200]
        raise Unusable(f"{path}: {type(error).__name__}: {words}") from None
    return module


def _functions(place: str, module: ModuleType) -> dict[str, Callable[..., Any]]:
    named = getattr(module, "__all__", None)
    found = {
        name: value
        for name, value in vars(module).items()
        if (name in named if named is not None else _is_public(name, value, module))
    }
    if not found:
        raise Unusable(f"{place}: has no public function")
    for name, value in found.items():
        if isinstance(value, FunctionTool):
            raise Unusable(f"{place}: {name}: is decorated; write a plain function")
        if not inspect.isfunction(value):
            raise Unusable(f"{place}: {name}: is no function")
        if inspect.isgeneratorfunction(value) or inspect.isasyncgenfunction(value):
            raise Unusable(f"{place}: {name}: yields; return what the model is to hear")
    return found


def _is_public(name: str, value: object, module: ModuleType) -> bool:
    is_callable = inspect.isfunction(value) or isinstance(value, FunctionTool)
    is_own = getattr(value, "__module__", None) == module.__name__
    return not name.startswith("_") and is_callable and is_own


def _tool(function: Callable[..., Any], runner: Runner) -> FunctionTool[..., Any]:
    """Make a tool of a function. Raises Unusable where a model could not use it."""
    if not _NAME.fullmatch(function.__name__):
        raise Unusable("the name must be 1 to 64 letters, digits, _ or -")
    if not (function.__doc__ or "").strip():
        raise Unusable("has no docstring, which tells the model what it is for")
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in _VARIADIC:
            raise Unusable(f"{parameter}: a model gives each argument a name")
        if parameter.annotation is inspect.Parameter.empty:
            raise Unusable(f"{parameter.name} has no type")
    try:
        typing.get_type_hints(function, include_extras=True)
        tool = function_tool(runner.guarded(function))
        build_strict_openai_schema(tool)
        build_legacy_openai_schema(tool)
    except Exception as error:  # noqa: BLE001 - of whatever kind a strange type brings about
        words = " ".join(str(error).split())[:200]
        raise Unusable(f"its parameters cannot be described to a model: {words}") from None
    return tool
