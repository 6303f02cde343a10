"""What is made of the code cannot differ from it for long: the check says so, the command mends."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reference import api_index, api_page
from reference.__main__ import PAGES, ROOT, main
from reference.files import Page
from reference.settings_groups import FIELDS, GROUPS, LOCALVOICE, Group, Unsorted, grouped
from tokenserver.app import OPERATIONS

EVERY = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with copies of all that is written."""
    for page in PAGES:
        path = tmp_path / page.path
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / page.path, path)
    return tmp_path


def texts(root: Path) -> dict[str, str]:
    return {page.path: (root / page.path).read_text(encoding="utf-8") for page in PAGES}


def complaints(root: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the check says, which has to fail and to change nothing."""
    before = texts(root)
    assert main(["--check"], root) == 1
    assert texts(root) == before
    return capsys.readouterr().err


def test_everything_is_what_the_code_says(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check"], checkout) == 0
    assert capsys.readouterr().err == ""


def test_it_is_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reference", "--check"],
        cwd=ROOT,
        env={},
        capture_output=True,
        check=False,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@EVERY
def test_a_line_by_hand_is_noticed_and_written_anew(
    checkout: Path, page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    before = texts(checkout)
    path = checkout / page.path
    made = page.render().strip().splitlines()
    edited = before[page.path].replace(made[-1], made[-1] + " by hand")
    assert edited != before[page.path]
    path.write_text(edited, encoding="utf-8")

    told = complaints(checkout, capsys)
    assert f"{page.path} is not what the code says" in told
    assert "run `.venv/bin/python -m reference`" in told
    assert "by hand" in told
    assert [other.path for other in PAGES if f"{other.path} is not" in told] == [page.path]

    assert main([], checkout) == 0
    assert capsys.readouterr().out == f"wrote {page.path}\n"
    assert texts(checkout) == before


@EVERY
def test_what_stands_around_a_part_is_kept(checkout: Path, page: Page) -> None:
    path = checkout / page.path
    text = path.read_text(encoding="utf-8")
    path.write_text(f"Before it.\n{text}\nAfter it.\n", encoding="utf-8")
    assert main([], checkout) == 0
    written = path.read_text(encoding="utf-8")
    assert (written == f"Before it.\n{text}\nAfter it.\n") == bool(page.part)


@pytest.mark.parametrize("page", [page for page in PAGES if page.part], ids=lambda page: page.path)
@pytest.mark.parametrize("mark", [0, 1])
def test_a_part_without_its_place_is_told(
    checkout: Path, page: Page, mark: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = checkout / page.path
    line = page.marks()[mark] + "\n"
    path.write_text(path.read_text(encoding="utf-8").replace(line, ""), encoding="utf-8")
    told = complaints(checkout, capsys)
    assert page.path in told
    assert line in told


def test_a_page_that_is_gone_is_told(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "docs" / "api-reference.md").unlink()
    assert main(["--check"], checkout) == 1
    assert "docs/api-reference.md is not" in capsys.readouterr().err


@pytest.mark.parametrize("change", [("description", "Something else."), ("default", 4242)])
@pytest.mark.parametrize(
    ("name", "page"), [("pool_size", "docs/settings.md"), ("cpu_threads", "docs/localvoice.md")]
)
def test_a_setting_that_changes_is_told(
    request: pytest.FixtureRequest, checkout: Path, name: str, page: str, change: tuple[str, object]
) -> None:
    (localvoice,) = LOCALVOICE.kinds
    attribute, value = change
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    monkeypatch.setattr({**FIELDS, **localvoice.model_fields}[name], attribute, value)
    told = complaints(checkout, request.getfixturevalue("capsys"))
    assert f"{page} is not" in told
    assert ".env.example is not" in told
    assert str(value) in told
    assert "docs/api" not in told


def test_a_call_that_is_new_or_gone_is_told(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (api_index, api_page):
        monkeypatch.setattr(module, "OPERATIONS", OPERATIONS[:-1])
    told = complaints(checkout, capsys)
    assert "docs/api-reference.md is not" in told
    assert "docs/api.md is not" in told
    assert OPERATIONS[-1].path in told
    assert "settings" not in told


def test_a_setting_in_no_group_is_told(
    monkeypatch: pytest.MonkeyPatch, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Unsorted, match="no group has shoe_size"):
        grouped(GROUPS, {**FIELDS, "shoe_size": FIELDS["pool_size"]})
    monkeypatch.setattr("reference.settings_pages.grouped", lambda: grouped(GROUPS[:-1]))
    assert "no group has apology" in complaints(checkout, capsys)


def test_a_setting_stands_once() -> None:
    names = [name for group in grouped().values() for name in group]
    assert sorted(names) == sorted(FIELDS)
    assert all(grouped().values()), "a group without settings"
    with pytest.raises(Unsorted):
        grouped((Group("Worker", ()),))
