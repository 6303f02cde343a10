"""What is installed is what is tested."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_wheel_carries_the_lua_scripts_and_the_personas(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=100,
    )
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    scripts = {str(path.relative_to(ROOT)) for path in (ROOT / "sessions").rglob("*.lua")}
    assert scripts
    assert scripts <= packed
    shipped = ROOT / "worker" / "personas" / "shipped"
    personas = {str(path.relative_to(ROOT)) for path in shipped.iterdir()}
    assert len(personas) >= 2
    assert personas <= packed


def test_locks_pin_everything_and_name_no_registry() -> None:
    locks = sorted((ROOT / "requirements").glob("*.lock"))
    assert len(locks) >= 4
    for lock in locks:
        text = lock.read_text(encoding="utf-8")
        pins = re.findall(r"^\S+==\S+( ; .+)? \\\n +--hash=sha256:", text, re.M)
        assert len(pins) == len(re.findall(r"^[a-zA-Z]", text, re.M)), lock.name
        assert "index-url" not in text
        assert "://" not in text, lock.name


def test_the_npm_lock_pins_everything_and_says_not_where_from() -> None:
    package = json.loads((ROOT / "web" / "package.json").read_text(encoding="utf-8"))
    for name, version in (package["dependencies"] | package["devDependencies"]).items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: pin for name, pin in lock["packages"].items() if name}
    assert len(packages) > len(package["dependencies"])
    for name, pin in packages.items():
        assert pin["integrity"].startswith("sha512-"), name
        assert "resolved" not in pin, name
