"""docs/patterns.md and docs/architecture.md: who is said to take a step takes it, in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import pytest

from sessions.scripts import verbs
from tests.unit.architecture.mermaid import faults, messages

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PATTERNS = (DOCS / "patterns.md").read_text(encoding="utf-8")
ARCHITECTURE = (DOCS / "architecture.md").read_text(encoding="utf-8")

_LUA = re.compile(r"\b([\w/]+)\.lua\b")
_FILE = re.compile(r"`((?:\w+/)+(?:[\w{},]+\.(?:py|lua))?)`")
_DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```", re.MULTILINE | re.DOTALL)
SEQUENCES = [
    (path.name, block)
    for path in sorted(DOCS.rglob("*.md"))
    for block in _DIAGRAM.findall(path.read_text(encoding="utf-8"))
    if "sequenceDiagram" in block
]


@cache
def methods() -> dict[str, set[str]]:
    """Return for each verb the methods of the store that ask for it, be it by way of another."""
    asked: dict[str, set[str]] = {}
    uses: dict[str, set[str]] = {}
    for path in (ROOT / "sessions").glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.AsyncFunctionDef):
                continue
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                    uses.setdefault(call.func.attr, set()).add(function.name)
                    verb = call.args[0] if call.func.attr in {"run", "run_for"} else None
                    if isinstance(verb, ast.Constant):
                        asked.setdefault(str(verb.value), set()).add(function.name)
    for names in asked.values():
        for private in [name for name in names if name.startswith("_")]:
            names.update(uses.get(private, ()))
    return asked


def files(text: str) -> list[str]:
    """Return the paths that a text names; `a/{b,c}.py` names two, and a folder all in it."""
    found = []
    for named in _FILE.findall(text):
        parts = [one.split(",") for one in re.split(r"[{}]", named)]
        found += ["".join(chosen) for chosen in product(*parts)]
    return found


def rows() -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield each line of a table that names verbs: it, the verbs, and the files that call them."""
    for line in (*PATTERNS.splitlines(), *ARCHITECTURE.splitlines()):
        if line.startswith("|") and (named := _LUA.findall(line)):
            yield line, named, files(line)


def calls(path: Path, verb: str) -> bool:
    """Say whether a file, or one in a folder, calls a method that asks for a verb."""
    sources = path.rglob("*.py") if path.is_dir() else [path]
    asks = re.compile(rf"\.(?:{'|'.join(methods()[verb])})\(")
    return any(asks.search(source.read_text(encoding="utf-8")) for source in sources)


def test_drawings_have_the_form_that_mermaid_takes() -> None:
    assert len(SEQUENCES) > 5
    assert {page: found for page, block in SEQUENCES if (found := faults(block))} == {}


def test_there_is_one_for_each_pattern() -> None:
    titles = re.findall(r"^## (.+)\n\n(?:(?!^## ).*\n)*?```mermaid$", PATTERNS, re.MULTILINE)
    assert titles == ["Start", "Queue", "Crash", "Drain", "Standard token"]
    assert re.findall(r"\(patterns\.md#([\w-]+)\)", ARCHITECTURE) == [
        title.lower().replace(" ", "-") for title in titles
    ]


def test_every_file_that_is_named_exists() -> None:
    named = files(PATTERNS) + files(ARCHITECTURE)
    assert len(named) > 50
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("name", sorted({"patterns.md", "architecture.md", "queue.md"}))
def test_every_verb_that_is_named_is_one(name: str) -> None:
    page = (DOCS / name).read_text(encoding="utf-8")
    named = {verb.rpartition("/")[2] for verb in _LUA.findall(_FILE.sub("", page))}
    assert named
    assert named <= set(verbs())


def test_every_verb_of_a_drawing_is_in_the_table_below_it() -> None:
    for section in PATTERNS.split("\n## ")[1:]:
        (block,) = _DIAGRAM.findall(section)
        drawn = {verb for said in messages(block) for verb in _LUA.findall(said)}
        listed = {verb for line, named, _ in rows() if line in section for verb in named}
        assert drawn <= listed, section.splitlines()[0]


def test_who_is_said_to_take_a_step_calls_it() -> None:
    wrong = []
    for line, named, paths in rows():
        pairs = [(path, verb) for path in paths for verb in named if calls(ROOT / path, verb)]
        is_said_of_all = {path for path, _ in pairs} == {*paths}
        if paths and not (is_said_of_all and {verb for _, verb in pairs} == {*named}):
            wrong.append(line)
    assert wrong == []


def test_a_drawing_that_is_wrong_is_found() -> None:
    begin = "sequenceDiagram\nparticipant A\nparticipant B as Another\n"
    assert faults(f"{begin}A->>B: hello\nNote over A, B: both\npar x\nand y\nend") == []
    for lines in (
        "A->>C: nobody",
        "A->>B:",
        "A=>B: no arrow",
        "A->>B: one; two",
        "Note over C: nobody",
        "loop x\nA->>B: hello",
        "end",
        "alt x\nand y\nend",
        "opt x\nelse y\nend",
        "participant A",
        "loop\nend",
    ):
        assert faults(begin + lines), lines
    assert faults("flowchart\nparticipant A")
