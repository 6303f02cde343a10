"""What pages say shows a thing, exists: tests, commands, benchmarks, links. docs/testing.md has a
checklist of that, each point of which needs one."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
from functools import cache

import pytest

from devstack.cli import COMMANDS
from devstack.tasks import bench_command
from tests.support.documents import DOCS, broken_links, rows, section

ROOT = DOCS.parent
TESTING = (DOCS / "testing.md").read_text(encoding="utf-8")
PAGES = {
    str(page.relative_to(ROOT)): page for page in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
}
TEXTS = {name: page.read_text(encoding="utf-8") for name, page in PAGES.items()}

_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_MAKE = re.compile(r"`make ([a-z0-9-]+)(?: ARGS=(\"[^\"`]*\"|[\w-]+))?[^`]*`")


@cache
def names_in(file: str) -> frozenset[str]:
    """Return the names of the tests of a file; none if there is no such file."""
    path = ROOT / file
    if not path.exists():
        return frozenset()
    return frozenset(
        node.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    )


def test_tests_that_pages_name_exist() -> None:
    named = [(page, *test) for page, text in TEXTS.items() for test in _TEST.findall(text)]
    assert len(named) >= 50
    assert [test for test in named if test[2] not in names_in(test[1])] == []


def test_commands_that_pages_name_exist() -> None:
    known = COMMANDS.keys() | {"help"}
    named = [(page, name) for page, text in TEXTS.items() for name, _ in _MAKE.findall(text)]
    assert len(named) >= 60
    assert [(page, name) for page, name in named if name not in known] == []


@pytest.mark.parametrize(
    "arguments",
    sorted(
        {
            arguments.strip('"')
            for text in TEXTS.values()
            for name, arguments in _MAKE.findall(text)
            if name == "bench" and arguments
        }
    ),
)
def test_a_benchmark_that_a_page_names_can_be_run(arguments: str) -> None:
    _, flag, module, *_ = bench_command(shlex.split(arguments))
    assert (flag, module) != ("-m", "bench"), "make bench does not know it"
    assert importlib.util.find_spec(module)


@pytest.mark.parametrize("page", ["README.md", "docs/comparison.md", "docs/testing.md"])
def test_what_a_page_links_exists(page: str) -> None:
    assert broken_links(PAGES[page]) == []


def test_every_point_and_criterion_has_a_test_or_a_command() -> None:
    points = rows(section(TESTING, "## A checklist for a fleet like this"))
    criteria = rows(section(TESTING, "### By which it is judged"))
    assert [row[0] for row in points] == [str(number) for number in range(1, 20)]
    assert len(criteria) == 5
    shown = [row[2] for row in points] + [row[1] for row in criteria]
    assert [cell for cell in shown if not (_TEST.search(cell) or _MAKE.search(cell))] == []


def test_the_folders_of_the_table_are_there_and_no_tier_is_missing() -> None:
    table = TESTING.partition("| Folder |")[2].partition("\n\n")[0]
    named = re.findall(r"^\| `([\w/]+)` \|", table, re.MULTILINE)
    assert [folder for folder in named if not (ROOT / folder).is_dir()] == []
    tiers = {path.name for path in (ROOT / "tests").iterdir() if (path / "__init__.py").exists()}
    assert {f"tests/{tier}" for tier in tiers} <= set(named)
