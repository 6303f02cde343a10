"""Versions, builds and where programs are looked for."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from devstack.errors import ToolMissing
from devstack.install import tools
from devstack.install.chromium import ensure_chromium
from devstack.install.livekit_build import MODULE, Go, describe_progress
from devstack.install.prometheus import prometheus_for_tests
from devstack.install.tools import (
    CHROMIUM,
    LIVEKIT,
    LIVEKIT_VERSION,
    PROMETHEUS,
    PROMTOOL,
    REDIS,
    Tool,
    find_tool,
)
from devstack.install.uv import needed_version, uv_environment
from devstack.install.versions import Version, parse_version, show_version
from devstack.terminal import Terminal


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("livekit-server version 1.13.5", (1, 13, 5)),
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", (7, 0, 15)),
        ("uv 0.13.9 (x86_64-unknown-linux-gnu)", (0, 13, 9)),
        ("uv==0.13.9 \\", (0, 13, 9)),
        ("promtool, version 2.42.0+ds (branch: debian/sid, revision: 1)", (2, 42, 0)),
        ("no number 7", None),
    ],
)
def test_parse_version(text: str, version: Version | None) -> None:
    assert parse_version(text) == version


def test_show_version() -> None:
    assert show_version((1, 13)) == "1.13"
    assert show_version(None) == "an unknown version"


def test_which_versions_will_do() -> None:
    assert LIVEKIT.accepts((1, 13, 0))
    assert not LIVEKIT.accepts((1, 12, 9))
    assert not LIVEKIT.accepts((1, 14, 0))
    assert not LIVEKIT.accepts(None)
    assert REDIS.accepts((6, 2, 14))
    assert not REDIS.accepts((5, 0, 3))
    assert CHROMIUM.accepts((999, 0))
    assert not CHROMIUM.accepts((119, 9))
    assert PROMTOOL.accepts((2, 42, 0))
    assert PROMETHEUS.accepts((3, 5, 0))
    assert not PROMETHEUS.accepts((2, 24, 1))


def test_what_is_built_will_do() -> None:
    assert LIVEKIT.accepts(parse_version(LIVEKIT_VERSION))
    assert MODULE.endswith(f"@v{LIVEKIT_VERSION}")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place with programs; the directory a program is in is its version."""
    monkeypatch.setattr(tools, "program_version", lambda path: parse_version(path.parent.name))
    return tmp_path


def put(tool: Tool, directory: Path) -> Path:
    directory.mkdir(parents=True)
    path = directory / tool.program
    path.touch(mode=0o755)
    return path


def test_the_setting_wins(home: Path) -> None:
    named, on_path = put(LIVEKIT, home / "1.13.1"), put(LIVEKIT, home / "1.13.2")
    env = {LIVEKIT.setting: str(named), "PATH": str(on_path.parent)}
    assert find_tool(LIVEKIT, env) == named


def test_a_setting_that_names_nothing_is_an_error(home: Path) -> None:
    with pytest.raises(ToolMissing, match="there is no such file"):
        find_tool(LIVEKIT, {LIVEKIT.setting: str(home / "nothing")})


def test_a_setting_that_names_another_version_is_an_error(home: Path) -> None:
    old = put(LIVEKIT, home / "1.9.0")
    with pytest.raises(ToolMissing, match=r"is 1\.9\.0; Voicefleet needs livekit-server 1\.13"):
        find_tool(LIVEKIT, {LIVEKIT.setting: str(old)})


def test_path_comes_before_the_cache(home: Path) -> None:
    on_path, cached = put(REDIS, home / "7.0"), put(REDIS, home / "cache" / "redis")
    env = {"PATH": str(on_path.parent), "VOICEFLEET_CACHE": str(home / "cache")}
    assert find_tool(REDIS, env) == on_path
    assert find_tool(REDIS, env | {"PATH": "/nowhere"}) == cached


def test_another_version_on_path_is_passed_over_and_said_so(home: Path) -> None:
    old = put(REDIS, home / "5.0")
    said: list[str] = []
    env = {"PATH": str(old.parent), "VOICEFLEET_CACHE": str(home / "cache")}
    assert find_tool(REDIS, env, said.append) is None
    assert said == [
        f"{old} is 5.0, not 6.2 or later below 10: not used (set REDIS_SERVER_BIN to name another)"
    ]


def test_chromium_has_more_than_one_name(home: Path) -> None:
    put(CHROMIUM, home / "100.0")
    chrome = home / "150.0" / "google-chrome"
    chrome.parent.mkdir()
    chrome.touch(mode=0o755)
    env = {"PATH": f"{home / '100.0'}:{chrome.parent}"}
    said: list[str] = []
    assert find_tool(CHROMIUM, env, said.append) == chrome
    assert said == [
        f"{home / '100.0' / 'chromium'} is 100.0, not 120 or later: "
        "not used (set CHROMIUM_BIN to name another)"
    ]


def test_without_a_browser_there_is_a_warning_that_says_what_to_do(home: Path) -> None:
    stream = io.StringIO()
    env = {"PATH": "/nowhere", "VOICEFLEET_CACHE": str(home)}
    assert ensure_chromium(env, Terminal(env, stream)) is None
    assert "apt install chromium" in stream.getvalue()
    assert "CHROMIUM_BIN" in stream.getvalue()


def test_without_prometheus_there_is_a_warning_that_says_what_to_do(home: Path) -> None:
    stream = io.StringIO()
    env = {"PATH": "/nowhere", "VOICEFLEET_CACHE": str(home)}
    assert prometheus_for_tests(env, Terminal(env, stream)) == {}
    (warning,) = stream.getvalue().splitlines()
    assert "no prometheus: its tests are skipped, and fail where CI is set." in warning
    assert "apt install prometheus" in warning
    assert "PROMETHEUS_BIN" in warning
    assert "PROMTOOL_BIN" in warning


def test_build_progress() -> None:
    downloading = "go: downloading a v1\ngo: downloading b v2\n"
    assert describe_progress("") == "0 modules downloaded"
    assert describe_progress(downloading) == "2 modules downloaded"
    assert describe_progress(downloading + "internal/a\nb\n").startswith("2 of about ")
    linking = downloading + "b\ngithub.com/livekit/livekit-server/cmd/server\n"
    assert describe_progress(linking) == "linking"


def test_a_go_of_ours_builds_in_directories_of_ours(tmp_path: Path) -> None:
    machine = Go(Path("/usr/bin/go")).environment({"HOME": "/h"}, tmp_path)
    ours = Go(Path("/x/go"), own_caches=tmp_path / "w").environment({"HOME": "/h"}, tmp_path)
    assert machine["GOTOOLCHAIN"] == "local"
    assert "GOPATH" not in machine
    assert ours["GOPATH"] == str(tmp_path / "w" / "path")


def test_uv(tmp_path: Path) -> None:
    lock = tmp_path / "uv-bootstrap.lock"
    lock.write_text("# a comment\nuv==0.13.9 \\\n    --hash=sha256:00\n")
    assert needed_version(lock) == (0, 13, 9)
    lock.write_text("pip==26.3\n")
    with pytest.raises(ToolMissing, match="pins no uv"):
        needed_version(lock)
    env = uv_environment({"VIRTUAL_ENV": "/other", "PATH": "/bin"})
    assert env["UV_PYTHON_DOWNLOADS"] == "never"
    assert "VIRTUAL_ENV" not in env
