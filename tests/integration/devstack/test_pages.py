"""The pages are those of the sources in web/, and are there all at once or not at all."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devstack.errors import BuildFailed
from devstack.install import node
from devstack.install.pages import (
    PAGES_SETTING,
    STAMP,
    WORKSHOP,
    are_pages_current,
    ensure_pages,
)
from devstack.install.web import WEB
from devstack.services.runner import build_pages
from devstack.settings import process_environment
from devstack.terminal import Terminal
from tests.integration.devstack.conftest import COPIES, make_web
from tests.support import servers
from tests.support.servers import find_pages
from tests.support.wait import eventually_sync

BUILT_WITHIN_S = 60.0
EMBED = """export default { build: {
    outDir: "dist/embed",
    lib: { entry: "src/main.ts", formats: ["iife"], name: "Tiny", fileName: () => "tiny.js" },
} };"""


@pytest.fixture
def web(tmp_path: Path) -> Path:
    return make_web(tmp_path / "web")


def ensure(web: Path, env: Mapping[str, str] | None = None) -> str:
    """Do it; return what was said."""
    stream = io.StringIO()
    env = process_environment() if env is None else env
    assert ensure_pages(env, Terminal(env, stream), web) == web / "dist"
    return stream.getvalue()


def page(web: Path) -> str:
    return (web / "dist" / "index.html").read_text()


def set_build(web: Path, command: str) -> None:
    (web / "package.json").write_text(json.dumps({"scripts": {"build": command}}))


def builds(web: Path) -> int:
    return len((web / "builds").read_text().splitlines())


@pytest.mark.usefixtures("scripts")
def test_vite_builds_pages_and_a_script_for_others(tmp_path: Path) -> None:
    web = make_web(tmp_path / "web", "vite build && vite build --config vite.embed.config.ts")
    shutil.rmtree(web / "node_modules")
    (web / "node_modules").symlink_to(WEB / "node_modules")
    shutil.copy(WEB / "package-lock.json", web)
    (web / "index.html").write_text('<script type="module" src="/src/main.ts"></script>')
    (web / "src" / "main.ts").write_text('import "react"; document.title = "tiny" as string;')
    (web / "vite.config.ts").write_text("export default {};")
    (web / "vite.embed.config.ts").write_text(EMBED)
    (web / "public" / "favicon.svg").write_text("<svg/>")

    assert "pages        built" in ensure(web)

    assert 'src="/assets/index-' in page(web)
    assert (web / "dist" / "favicon.svg").is_file()
    assert "tiny" in (web / "dist" / "embed" / "tiny.js").read_text()
    assert not (web / WORKSHOP).exists()
    assert ensure(web) == ""


@pytest.mark.parametrize(
    "source",
    [
        *("package.json", "package-lock.json", "index.html", "console.html", "vite.config.ts"),
        *(
            "vite.embed.config.ts",
            "tsconfig.json",
            "src/main.ts",
            "src/talk/new.css",
            "public/x.svg",
        ),
    ],
)
def test_pages_are_built_once_for_each_state_of_a_source(web: Path, source: str) -> None:
    ensure(web)
    assert ensure(web) == ""
    path = web / source
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + " ")
    assert not are_pages_current(web)
    if source != "package-lock.json":  # it would have packages installed
        ensure(web)
        assert builds(web) == 2
        path.unlink()
        assert not are_pages_current(web)


def test_what_is_no_source_builds_nothing(web: Path) -> None:
    ensure(web)
    (web / "test" / "main.test.ts").write_text("test")
    (web / "eslint.config.js").write_text("lint")
    (web / "node_modules" / "other").write_text("cache")
    assert ensure(web) == ""
    assert builds(web) == 1


def test_a_failed_build_says_why_and_leaves_the_pages_that_were(web: Path) -> None:
    ensure(web)
    set_build(web, "mkdir dist && echo half > dist/index.html && echo no such module && exit 3")
    with pytest.raises(
        BuildFailed, match="above is the end of what `npm run build` says"
    ) as caught:
        ensure(web)
    assert "no such module" in caught.value.log_tail
    assert page(web) == "first"
    assert not are_pages_current(web)
    assert not (web / WORKSHOP).exists()


def test_a_build_without_a_page_is_a_failed_one(web: Path) -> None:
    set_build(web, "mkdir dist")
    with pytest.raises(BuildFailed, match=r"wrote no dist/index\.html"):
        ensure(web)
    assert not (web / "dist").exists()


@pytest.mark.parametrize("obstacle", ["no lock", "no folder"])
def test_files_that_are_in_the_way_are_named(web: Path, obstacle: str) -> None:
    if obstacle == "no lock":
        (web / "package-lock.json").unlink()
    else:
        (web / WORKSHOP).write_text("not a folder")
    with pytest.raises(BuildFailed, match=r"could not be built: .*web/.* can be read and written"):
        ensure(web)


def test_what_a_killed_build_left_gets_into_no_page(web: Path) -> None:
    (web / WORKSHOP / "dist" / "assets").mkdir(parents=True)
    (web / WORKSHOP / "src").mkdir()
    (web / WORKSHOP / "src" / "old.ts").write_text("old")
    set_build(web, "cp -r src dist && cp index.html dist/")
    ensure(web)
    names = {str(path.relative_to(web / "dist")) for path in (web / "dist").iterdir()}
    assert names == {"index.html", "main.ts", STAMP}
    assert ensure(web) == ""


def test_during_a_build_the_old_pages_are_there_and_the_sources_may_change(web: Path) -> None:
    ensure(web)
    (web / "index.html").write_text("second")
    waits = "mkdir dist && touch ../building; until test -e ../go; do sleep 0.05; done"
    set_build(web, f"rm -f ../building; {waits}; cp index.html dist/")
    with ThreadPoolExecutor(1) as pool:
        building = pool.submit(ensure, web)
        try:
            eventually_sync((web / "building").exists, BUILT_WITHIN_S, message="a build begins")
            assert page(web) == "first"
            (web / "index.html").write_text("third")
        finally:
            (web / "go").touch()
        building.result(BUILT_WITHIN_S)
    assert page(web) == "second"
    assert not are_pages_current(web)
    ensure(web)
    assert page(web) == "third"


def test_two_who_need_pages_at_once_build_them_once(web: Path) -> None:
    set_build(web, f"until test -e ../go; do sleep 0.05; done; {COPIES}")
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(ensure, web) for _ in range(2)]
        try:
            eventually_sync((web / WORKSHOP).exists, BUILT_WITHIN_S, message="a build begins")
        finally:
            (web / "go").touch()
        said = sorted(run.result(BUILT_WITHIN_S) for run in runs)
    assert builds(web) == 1
    assert sum("pages        built" in text for text in said) == 1


def test_nothing_of_the_users_environment_gets_into_the_pages(web: Path) -> None:
    set_build(web, "mkdir dist && env > dist/index.html")
    hidden = {"OPENAI_API_KEY": "sk-hidden", "VITE_KEY": "vite-hidden", "NODE_ENV": "development"}
    ensure(web, process_environment() | hidden)
    assert "PATH=" in page(web)
    for value in hidden.values():
        assert value not in page(web)


def test_without_node_the_stack_is_warned_of_and_has_no_pages(
    web: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "WHEEL", "no_such_package")
    stream = io.StringIO()
    assert build_pages({"PATH": "/nowhere"}, Terminal({}, stream), web) is None
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("  warning: no call page and no console, only the API: no Node.js 22.12")
    assert line.endswith("The next `make run` tries again.")


def test_your_own_pages_are_not_built(web: Path) -> None:
    stream = io.StringIO()
    assert build_pages({"WEB_DIR": "/mine"}, Terminal({}, stream), web) is None
    assert stream.getvalue() == ""
    assert not (web / "dist").exists()


@pytest.mark.parametrize("is_current", [True, False])
def test_tests_take_the_pages_that_were_built_for_them_or_current_ones(
    monkeypatch: pytest.MonkeyPatch, *, is_current: bool
) -> None:
    monkeypatch.setattr(servers, "are_pages_current", lambda: is_current)
    monkeypatch.setenv(PAGES_SETTING, "")
    assert find_pages() == (WEB / "dist" if is_current else None)
    monkeypatch.setenv(PAGES_SETTING, "/built")
    assert find_pages() == Path("/built")
