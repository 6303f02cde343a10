"""docs/security.md lists forty attacks; each names the tests that try it, and they are there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
PAGE = TESTS.parent / "docs" / "security.md"
ATTACKS = TESTS / "integration" / "tokenserver" / "attacks"
NUMBERS = range(1, 41)

_ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \| (.+) \|$", re.M)
_TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")


@cache
def docstrings(path: Path) -> dict[str, str]:
    """Return the tests of a file with what they say about themselves."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name: ast.get_docstring(node) or ""
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


def rows() -> list[tuple[int, list[tuple[Path, str]]]]:
    """Return the numbers of the table, each with its tests."""
    found = []
    for number, _, _, tests in _ROW.findall(PAGE.read_text(encoding="utf-8")):
        assert _TEST.sub("", tests).strip() == "", f"attack {number}: {tests} is no list of tests"
        named = [
            ((TESTS if "/" in file else ATTACKS) / file, name)
            for file, name in _TEST.findall(tests)
        ]
        found.append((int(number), named))
    return found


def attacks() -> Iterator[tuple[Path, str, str]]:
    """Yield every test of an attack: its file, its name, its docstring."""
    for path in sorted(ATTACKS.glob("test_*.py")):
        for name, text in docstrings(path).items():
            yield path, name, text


def test_every_attack_is_listed_once_and_tried() -> None:
    assert [number for number, _ in rows()] == list(NUMBERS)
    assert [number for number, tests in rows() if not tests] == []


@pytest.mark.parametrize("number", NUMBERS)
def test_the_tests_of_an_attack_are_there_and_say_so(number: int) -> None:
    for path, name in dict(rows())[number]:
        assert name in docstrings(path), f"there is no {name} in {path.relative_to(TESTS)}"
        if path.parent == ATTACKS:
            assert docstrings(path)[name].startswith(f"Attack {number}: ")


def test_every_test_of_an_attack_is_listed() -> None:
    listed = {test for _, tests in rows() for test in tests}
    assert [
        f"{path.name}::{name}" for path, name, _ in attacks() if (path, name) not in listed
    ] == []


def test_every_test_says_which_attack_it_is() -> None:
    assert [name for _, name, text in attacks() if not re.match(r"Attack \d+: ", text)] == []
