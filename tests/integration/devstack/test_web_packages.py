"""web/node_modules follows its lock. The npm is a stand-in that notes its calls."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from devstack.errors import ToolMissing
from devstack.install.web import STAMP, ensure_web, is_web_current
from devstack.terminal import Terminal

NPM = """#!/bin/sh
rm -rf node_modules && mkdir node_modules
echo "$@" >> calls
test ! -e broken || { echo "no such registry" >&2; exit 1; }
"""


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A web/ with a lock, and a Node.js with an npm in web/bin."""
    (tmp_path / "package-lock.json").write_text("{}")
    (tmp_path / "bin").mkdir()
    for name, script in (("node", "#!/bin/sh\necho v24.1.0\n"), ("npm", NPM)):
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def ensure(web: Path) -> str:
    """Do it; return what was said."""
    stream = io.StringIO()
    env = {"PATH": f"{web / 'bin'}:/usr/bin:/bin"}
    assert ensure_web(env, Terminal(env, stream), web).program == web / "bin" / "node"
    return stream.getvalue()


def calls(web: Path) -> list[str]:
    return (web / "calls").read_text().splitlines()


def test_packages_are_installed_once_for_each_lock(web: Path) -> None:
    assert not is_web_current(web)
    assert "web          installed" in ensure(web)
    assert is_web_current(web)
    assert ensure(web) == ""
    (web / "package-lock.json").write_text("{ }")
    assert not is_web_current(web)
    ensure(web)
    assert calls(web) == ["ci", "ci"]


def test_what_is_not_there_completely_is_not_there(web: Path) -> None:
    ensure(web)
    (web / "package-lock.json").write_text("{ }")
    (web / "broken").touch()
    with pytest.raises(ToolMissing, match=r"package-lock\.json could not") as caught:
        ensure(web)
    assert "no such registry" in caught.value.log_tail
    assert not (web / "node_modules" / STAMP).exists()
    (web / "broken").unlink()
    ensure(web)
    assert is_web_current(web)
