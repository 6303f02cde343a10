"""What is refused: too little, too much, paths of a machine, keys, papers that do not fit."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from devstack.errors import BuildFailed
from devstack.release.build import pack_pages, release_version
from devstack.release.contents import (
    OF_SDIST,
    OF_WHEEL,
    BadRelease,
    changelog_problems,
    check_sdist,
    check_wheel,
    metadata_problems,
    needles_of,
    shipped_files,
)
from devstack.settings import REPO
from tests.support.builds import make_build

VERSION = "1.2.3"
INFO = f"voicefleet-{VERSION}.dist-info/"
METADATA = f"""\
Metadata-Version: 2.4
Name: voicefleet
Version: {VERSION}
Summary: A fleet.
License-Expression: Apache-2.0
License-File: LICENSE
Requires-Python: >=3.11
Provides-Extra: worker
Provides-Extra: tokenserver
Provides-Extra: client
Provides-Extra: local
Description-Content-Type: text/markdown

# Voicefleet

{"What it is. " * 20}
"""
#: Of no account, and nobody's.
KEY = "sk-" + "0123456789abcdef" * 2
PEM = "-----BEGIN PRIVATE " + "KEY-----"
Files = Mapping[str, str | None]


def contents(own: frozenset[str], prefix: str = "", changes: Files | None = None) -> dict[str, str]:
    """Return what a good package has, with some files otherwise, or, where None, not there."""
    files: dict[str, str | None] = dict.fromkeys(shipped_files(), "")
    files |= {f"{prefix}{name}": "" for name in own}
    files |= {f"{prefix}{name}": METADATA for name in own & {"METADATA", "PKG-INFO"}}
    files |= changes or {}
    return {name: text for name, text in files.items() if text is not None}


def make_wheel(folder: Path, changes: Files | None = None) -> Path:
    path = folder / f"voicefleet-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in contents(OF_WHEEL, INFO, changes).items():
            packed.writestr(name, text)
    return path


def make_sdist(folder: Path, changes: Files | None = None) -> Path:
    path = folder / f"voicefleet-{VERSION}.tar.gz"
    with tarfile.open(path, "w:gz") as packed:
        for name, text in contents(OF_SDIST, changes=changes).items():
            entry = tarfile.TarInfo(f"voicefleet-{VERSION}/{name}")
            entry.size = len(text)
            packed.addfile(entry, io.BytesIO(text.encode()))
    return path


def test_what_is_in_git_and_nothing_else_is_released(tmp_path: Path) -> None:
    check_wheel(make_wheel(tmp_path), VERSION, {})
    check_sdist(make_sdist(tmp_path), VERSION, {})
    shipped = shipped_files()
    assert {"sessions/lua/claim.lua", "tokenserver/__main__.py", "worker/py.typed"} <= shipped
    assert not [name for name in shipped if name.startswith(("tests/", "devstack/", "bench/"))]


REFUSED: list[tuple[Files, str]] = [
    ({"sessions/lua/claim.lua": None}, "missing: sessions/lua/claim.lua"),
    ({"worker/personas/shipped/assistant.toml": None}, "missing: worker/personas"),
    ({"tests/test_it.py": ""}, "not to be in it: tests/test_it.py"),
    ({"bench/pool/bank_day.txt": ""}, "not to be in it: bench/pool"),
    ({"worker/notes.txt": ""}, "not to be in it: worker/notes.txt"),
    ({"worker/__init__.py": "PATH = '/home/me/fleet/x'"}, "worker/__init__.py holds the path"),
    ({"worker/__init__.py": "hunter2hunter2"}, "worker/__init__.py holds ADMIN_API_KEY"),
    ({"worker/__init__.py": f"{KEY=}"}, "worker/__init__.py holds what looks like a key"),
    ({"worker/__init__.py": PEM}, "worker/__init__.py holds what looks like a key"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_less_or_more_or_a_secret_is_refused(tmp_path: Path, changes: Files, words: str) -> None:
    needles = {"/home/me/fleet/": "the path of this checkout", "hunter2hunter2": "ADMIN_API_KEY"}
    for check, archive in (
        (check_wheel, make_wheel(tmp_path, changes)),
        (check_sdist, make_sdist(tmp_path, changes)),
    ):
        with pytest.raises(BadRelease, match=words) as refusal:
            check(archive, VERSION, needles)
        assert archive.name in str(refusal.value)
        assert "hunter2" not in str(refusal.value)
        assert KEY not in str(refusal.value)


def test_many_missing_files_are_counted(tmp_path: Path) -> None:
    lua = dict.fromkeys(name for name in shipped_files() if name.endswith(".lua"))
    with pytest.raises(BadRelease, match=rf"sessions/lua/.*lua and {len(lua) - 5} more"):
        check_wheel(make_wheel(tmp_path, lua), VERSION, {})


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        (f"Version: {VERSION}", "Version: 1.2.4", "of version 1.2.4, not 1.2.3"),
        (f"Version: {VERSION}", "Version: one", "'one' is invalid for 'version'"),
        ("License-Expression: Apache-2.0", "License-Expression: Nobodys-1", "Nobodys-1"),
        ("License-Expression: Apache-2.0", "License-Expression: MIT", "licence MIT"),
        ("License-File: LICENSE\n", "", "no LICENSE"),
        ("Requires-Python: >=3.11\n", "", "no oldest Python"),
        ("Provides-Extra: local\n", "", "extras are missing"),
        ("text/markdown", "text/plain", "no README"),
        ("Name: voicefleet", "Name: voice fleet", "'voice fleet' is invalid for 'name'"),
    ],
)
def test_what_an_index_would_refuse_or_show_badly_is_told(good: str, bad: str, words: str) -> None:
    assert metadata_problems(METADATA.encode(), VERSION) == []
    problems = metadata_problems(METADATA.replace(good, bad).encode(), VERSION)
    assert any(words in problem for problem in problems), problems


def test_a_version_of_one_machine_is_not_for_others() -> None:
    own = f"{VERSION}+mine"
    raw = METADATA.replace(f"Version: {VERSION}", f"Version: {own}").encode()
    assert metadata_problems(raw, own) == ["metadata: a version of this machine only"]


def test_paths_and_keys_of_this_machine_are_looked_for(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "ADMIN_API_KEY=0123456789abcdef\nREDIS_URL=redis://:secret@host:6379\n"
        "OPENAI_API_KEY=local\nAGENT_NAME=some-long-agent-name\n",
        encoding="utf-8",
    )
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "secrets.json").write_text('{"admin_key": "fedcba9876543210"}', encoding="utf-8")
    assert needles_of({"VOICEFLEET_RUN_DIR": str(run_dir)}, tmp_path) == {
        "0123456789abcdef": "ADMIN_API_KEY",
        "redis://:secret@host:6379": "REDIS_URL",
        "fedcba9876543210": "admin_key",
        f"{tmp_path}/": "the path of this checkout",
    }


def test_this_version_has_an_entry_in_the_changelog() -> None:
    text = (REPO / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changelog_problems(release_version(), text) == []
    (problem,) = changelog_problems("99.0.0", text)
    assert "`## [99.0.0] - YYYY-MM-DD`" in problem
    assert len(changelog_problems(release_version(), text.replace("## ", "# "))) == 2


def test_a_version_that_stands_nowhere_or_twice_is_no_version(tmp_path: Path) -> None:
    file = tmp_path / "version.py"
    for text in ("", 'VERSION = "1"\nVERSION = "2"\n'):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(BuildFailed, match="one line VERSION"):
            release_version(file)


def test_the_archive_of_the_pages_is_always_the_same_and_shows_nothing_else(tmp_path: Path) -> None:
    pages = make_build(tmp_path / "pages")
    (tmp_path / "other").mkdir()
    first = pack_pages(pages, tmp_path, VERSION)
    for file in pages.rglob("*"):
        file.touch()
    assert pack_pages(pages, tmp_path / "other", VERSION).read_bytes() == first.read_bytes()
    with tarfile.open(first) as packed:
        names = set(packed.getnames())
    root = f"voicefleet-pages-{VERSION}"
    assert {f"{root}/index.html", f"{root}/embed/voicefleet-call.js"} <= names
    assert not [name for name in names if name.endswith((".map", "/.env")) or "/.git" in name]
