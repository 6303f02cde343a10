"""What a build sees of the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.images.context import (
    Context,
    copy_from_context,
    copy_from_stage,
    parse_ignored,
)
from devstack.images.dockerfile import NotUnderstood
from devstack.settings import REPO

ALLOWED = "# a comment\n*\n\n!in\n!deep/er\nin/out\n**/*.pem\n**/__pycache__\n!in/[ab].pem\n"


@pytest.mark.parametrize(
    ("path", "is_in"),
    [
        ("in/x.py", True),
        ("in/folder/x.py", True),
        ("in/out/x.py", False),
        ("in/outer/x.py", True),
        ("in/x.pem", False),
        ("in/folder/x.pem", False),
        ("in/a.pem", True),
        ("in/c.pem", False),
        ("in/__pycache__/x.pyc", False),
        ("deep/er/x", True),
        ("deep/x", False),
        ("inside", False),
        (".env", False),
        ("x.py", False),
    ],
)
def test_the_last_line_that_fits_decides(path: str, is_in: bool) -> None:
    assert Context(Path(), parse_ignored(ALLOWED)).has(path) == is_in


def test_all_is_in_that_nothing_keeps_out() -> None:
    context = Context(Path(), parse_ignored("secret\n"))
    assert context.has("a/secret")
    assert not context.has("secret")
    assert not context.has("secret/a")


@pytest.fixture
def context(tmp_path: Path) -> Context:
    folder = tmp_path / "context"
    for name in ("in/one.py", "in/sub/two.py", "in/out/three.py", "deep/er/four", "deep/five"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / "in" / "link").symlink_to("one.py")
    (folder / "in" / "folder-link").symlink_to("sub")
    (folder / ".dockerignore").write_text(ALLOWED)
    return Context.of(folder)


def test_the_files_of_a_context(context: Context) -> None:
    assert context.files == {
        *("in/one.py", "in/sub/two.py", "in/link", "in/folder-link", "deep/er/four"),
    }


def listed(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize(
    ("sources", "target", "expected"),
    [
        (["in/one.py"], "two.py", {"app/two.py"}),
        (["in/one.py"], "./", {"app/one.py"}),
        (["in/one.py"], "/etc/", {"etc/one.py"}),
        (["in/one.py", "in/sub/two.py"], "x", {"app/x/one.py", "app/x/two.py"}),
        (["in/sub"], "sub", {"app/sub/two.py"}),
        (["in/sub"], "./", {"app/two.py"}),
        (["deep"], "deep", {"app/deep/er/four"}),
    ],
)
def test_how_copy_copies(
    context: Context, tmp_path: Path, sources: list[str], target: str, expected: set[str]
) -> None:
    copy_from_context(context, sources, target, tmp_path / "root", "/app")
    assert listed(tmp_path / "root") == expected


def test_links_stay_links(context: Context, tmp_path: Path) -> None:
    root = tmp_path / "root"
    copy_from_context(context, ["in"], "in", root, "/")
    assert (root / "in" / "link").readlink() == Path("one.py")


@pytest.mark.parametrize("source", ["nowhere", "in/out", "deep/five", ".env"])
def test_what_is_not_in_it_cannot_be_copied(context: Context, tmp_path: Path, source: str) -> None:
    with pytest.raises(NotUnderstood, match="the context has none"):
        copy_from_context(context, [source], "x", tmp_path / "root", "/")


def test_copying_from_a_stage(context: Context, tmp_path: Path) -> None:
    root = tmp_path / "root"
    copy_from_stage(context.folder, ["/in"], "/opt/in", root, "/app")
    copy_from_stage(context.folder, ["/in/one.py"], "two.py", root, "/app")
    assert listed(root) >= {"opt/in/one.py", "opt/in/sub/two.py", "app/two.py"}
    with pytest.raises(NotUnderstood, match="the stage has no /nothing"):
        copy_from_stage(context.folder, ["/nothing"], "x", root, "/")


def test_ours_lets_in_sources_and_nothing_else() -> None:
    files = Context.of(REPO).files
    roots = {name.partition("/")[0] for name in files}
    assert roots == {
        *("localvoice", "notices", "requirements", "rooms", "sessions", "supervisor"),
        *("telemetry", "tokenserver", "web", "worker"),
    }
    parts = {part for name in files for part in name.split("/")}
    assert not parts & {"node_modules", "dist", "__pycache__", ".venv", ".git", "test"}
    assert not any(part.startswith(".env") or part.endswith(".pyc") for part in parts)
    assert {"web/package-lock.json", "web/.npmrc", "web/index.html"} <= files


@pytest.mark.parametrize("name", [".env", "web/.env", "worker/.env.local", "tests/x.py", ".run/k"])
def test_no_key_comes_in_by_ours(name: str) -> None:
    assert not Context.of(REPO).has(name)
