"""Prometheus out of Debian's package; apt-get and dpkg-deb are scripts of these tests."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from devstack.install import apt
from devstack.install.prometheus import pages_of, prometheus_for_tests
from devstack.terminal import Terminal

#: It has packages only after its lists were updated, if a test says so.
APT_GET = """#!/bin/sh
echo "$@" >> {home}/asked
case "$1" in
    update) touch {home}/lists ;;
    download) test -e {home}/lists && cp {home}/package.tar "$2_2.42.0_amd64.deb" ;;
esac
"""
DPKG_DEB = """#!/bin/sh
test "$1" = -x && exec tar -xf "$2" -C "$3"
"""
PROGRAM = "#!/bin/sh\necho '{name}, version {version}+ds (branch: debian/sid)'\n"


class Debian:
    """A machine whose apt-get has one package."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.cache = home / "cache"
        bin_dir = home / "bin"
        bin_dir.mkdir()
        for name, script in (("apt-get", APT_GET.format(home=home)), ("dpkg-deb", DPKG_DEB)):
            (bin_dir / name).write_text(script)
            (bin_dir / name).chmod(0o755)
        self.env = {"PATH": f"{bin_dir}:/usr/bin:/bin", "VOICEFLEET_CACHE": str(self.cache)}

    def offer(self, version: str) -> None:
        """Have Prometheus of a version; its lists are another matter."""
        with tarfile.open(self.home / "package.tar", "w") as archive:
            for name in ("prometheus", "promtool"):
                text = PROGRAM.format(name=name, version=version).encode()
                entry = tarfile.TarInfo(f"usr/bin/{name}")
                entry.size, entry.mode = len(text), 0o755
                archive.addfile(entry, io.BytesIO(text))
            page = tarfile.TarInfo("usr/share/prometheus/web/templates/_base.html")
            archive.addfile(page, io.BytesIO())

    def has_lists(self) -> None:
        """Have been updated."""
        (self.home / "lists").touch()

    @property
    def asked(self) -> list[str]:
        """What apt-get was told to do."""
        return (self.home / "asked").read_text().splitlines()

    def get(self) -> tuple[dict[str, str], str]:
        """Return which programs are found, and what is said."""
        stream = io.StringIO()
        return prometheus_for_tests(self.env, Terminal(self.env, stream)), stream.getvalue()


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Debian:
    """A Debian, whose user is not root."""
    monkeypatch.setattr(apt, "_is_root", lambda: False)
    return Debian(tmp_path)


def test_it_is_unpacked_once_and_installed_never(debian: Debian) -> None:
    debian.offer("2.53.3")
    debian.has_lists()
    for _ in range(2):
        found, _said = debian.get()
        assert found == {
            "PROMETHEUS_BIN": str(debian.cache / "prometheus" / "prometheus"),
            "PROMTOOL_BIN": str(debian.cache / "prometheus" / "promtool"),
        }
    assert debian.asked == ["download prometheus"]
    assert pages_of(Path(found["PROMETHEUS_BIN"])) == debian.cache / "prometheus" / "web"
    assert {path.name for path in debian.cache.iterdir()} == {"prometheus", "prometheus.lock"}


def test_an_old_one_is_not_kept(debian: Debian) -> None:
    debian.offer("2.24.1")
    debian.has_lists()
    found, said = debian.get()
    assert found == {}
    assert "Debian's prometheus is 2.24.1: not used" in said
    assert "warning: no prometheus" in said
    assert [path.name for path in debian.cache.iterdir()] == ["prometheus.lock"]


def test_lists_that_are_missing_are_got_by_root(
    debian: Debian, monkeypatch: pytest.MonkeyPatch
) -> None:
    debian.offer("2.42.0")
    monkeypatch.setattr(apt, "_is_root", lambda: True)
    found, _ = debian.get()
    assert len(found) == 2
    assert debian.asked == ["download prometheus", "update", "download prometheus"]


def test_lists_that_are_missing_are_none_of_a_users_business(debian: Debian) -> None:
    debian.offer("2.42.0")
    found, said = debian.get()
    assert found == {}
    assert "apt has no prometheus for us" in said
    assert debian.asked == ["download prometheus"]
