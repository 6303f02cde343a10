"""deploy/systemd: units that systemd takes, and that let calls end."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.settings import process_environment
from tests.support.servers import lacking
from tests.unit.deploy.checks import READ
from tests.unit.deploy.manifests import ROOT
from tests.unit.deploy.pods import TOKENS_END_S, WORKER_END_S
from tests.unit.deploy.units import (
    SERVICES,
    SYSTEMD,
    Unit,
    instance,
    last,
    load,
    read_unit,
    seconds,
)

PAGE = (ROOT / "docs" / "deploy" / "systemd.md").read_text(encoding="utf-8")
LIVEKIT = "/usr/local/bin/livekit-server"
#: Ten times the level of exposure that is allowed: 10 is without any protection.
EXPOSURE = 20
#: Which files of variables each has, besides those that may be missing.
FILES = {
    "voicefleet-tokens@.service": ["common", "tokens"],
    "voicefleet-worker@.service": ["common", "worker"],
    "voicefleet-livekit.service": ["livekit"],
    "voicefleet-localvoice.service": [],
}


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd's own check; skip the test without it, in CI fail it."""
    if not (program := shutil.which("systemd-analyze", path=process_environment().get("PATH"))):
        lacking("no systemd-analyze on PATH, which checks the units")
    return subprocess.run(
        [program, *arguments], check=False, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units in a folder, with an instance of each template. What LiveKit's runs is not on this
    machine, so it runs something else."""
    for path in SYSTEMD.iterdir():
        text = path.read_text(encoding="utf-8").replace(LIVEKIT, "/bin/true")
        (tmp_path / path.name).write_text(text, encoding="utf-8")
        (tmp_path / instance(path)).write_text(text, encoding="utf-8")
    return tmp_path


def set_variables(name: str) -> dict[str, str]:
    """Return what the page writes into a file of variables."""
    (block,) = re.findall(rf"^cat >{name}\.env <<END\n(.*?)^END$", PAGE, re.M | re.S)
    return dict(line.split("=", 1) for line in block.splitlines())


def faults_of(name: str, unit: Unit) -> Iterator[str]:
    """Find what would cut calls, hide a variable or start nothing."""
    stop_s = seconds(last(unit, "TimeoutStopSec"))
    needed_s = {
        "voicefleet-worker@.service": float(set_variables("worker")["DRAIN_TIMEOUT_S"])
        + WORKER_END_S,
        "voicefleet-tokens@.service": float(set_variables("tokens")["SHUTDOWN_DELAY_S"])
        + TOKENS_END_S,
    }.get(name, 0.0)
    if stop_s < needed_s:
        yield "killed before it is done"
    if last(unit, "KillMode") != "mixed":
        yield "SIGTERM for all processes"
    if "worker" in name and last(unit, "OOMPolicy") != "continue":
        yield "one process that is killed ends all"
    if last(unit, "Restart") not in {"always", "on-failure"}:
        yield "not started again"
    paths = unit.get(("Service", "EnvironmentFile"), ())
    needed = [path for path in paths if not path.startswith("-")]
    if needed != [f"/etc/voicefleet/{one}.env" for one in FILES[name]]:
        yield "other files of variables"
    words = last(unit, "ExecStart").split()
    if "-m" in words and not (ROOT / words[-1] / "__main__.py").exists():
        yield f"no module {words[-1]}"
    part = re.split("[-@.]", name)[1]
    given = {word.split("=")[0] for word in words if "=" in word}
    yield from (f"{one} is not read" for one in sorted(given - READ.get(part, frozenset())))


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_units_let_calls_end(path: Path) -> None:
    assert list(faults_of(path.name, load(path.name))) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("TimeoutStopSec=11min", "TimeoutStopSec=90", "killed before it is done"),
        ("KillMode=mixed", "KillMode=control-group", "SIGTERM for all processes"),
        ("OOMPolicy=continue\n", "", "one process that is killed ends all"),
        ("Restart=on-failure", "Restart=no", "not started again"),
        ("-m worker", "-m workers", "no module workers"),
        ("WORKER_PORT=%i", "WORKER_PROT=%i", "WORKER_PROT is not read"),
        ("/worker.env", "/tokens.env", "other files of variables"),
    ],
)
def test_what_is_broken_is_found(old: str, new: str, fault: str) -> None:
    name = "voicefleet-worker@.service"
    text = (SYSTEMD / name).read_text(encoding="utf-8")
    assert old in text
    assert fault in list(faults_of(name, read_unit(text.replace(old, new))))


def test_each_service_is_one_of_the_target() -> None:
    assert [path.name for path in SERVICES] == sorted(FILES)
    for path in SERVICES:
        unit = load(path.name)
        assert unit["Install", "WantedBy"] == unit["Unit", "PartOf"] == ["voicefleet.target"]
        assert (SYSTEMD / "voicefleet.target").exists()


def test_a_line_that_is_none_is_found() -> None:
    with pytest.raises(ValueError, match="not a line of a unit"):
        read_unit("[Service]\nKillMode mixed\n")
    with pytest.raises(ValueError, match="no span of time"):
        seconds("11 minuets")


@pytest.mark.parametrize("path", sorted(SYSTEMD.iterdir()), ids=lambda path: path.name)
def test_systemd_takes_the_unit(path: Path, installed: Path) -> None:
    done = systemd_analyze("verify", str(installed / instance(path)))
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_finds_what_is_wrong(installed: Path) -> None:
    unit = installed / "voicefleet-livekit.service"
    unit.write_text(unit.read_text().replace("KillMode=", "KillModus="), encoding="utf-8")
    assert "'KillModus'" in systemd_analyze("verify", str(unit)).stderr


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_little_is_exposed(path: Path, installed: Path) -> None:
    level = ("security", "--offline=yes", f"--threshold={EXPOSURE}", "--no-pager")
    unit = installed / instance(path)
    assert systemd_analyze(*level, str(unit)).returncode == 0
    # Without its protection it would be too much.
    text = unit.read_text(encoding="utf-8")
    bare = re.sub(r"^(DynamicUser|Protect\w+|SystemCall\w+)=.*\n", "", text, flags=re.M)
    unit.write_text(bare, encoding="utf-8")
    assert systemd_analyze(*level, str(unit)).returncode != 0


def test_the_page_sets_what_is_read() -> None:
    both = READ["tokens"] & READ["worker"]
    assert set_variables("common").keys() <= both
    assert set_variables("tokens").keys() <= READ["tokens"] - both
    assert set_variables("worker").keys() <= READ["worker"] - both
    livekit = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert "LIVEKIT_KEYS='voicefleet: " in PAGE
    assert "LIVEKIT_KEYS: 'voicefleet: " in livekit
