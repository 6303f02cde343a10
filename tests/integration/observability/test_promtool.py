"""What deploy/ has for Prometheus is as promtool wants it, and does what its cases say."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from devstack.install.tools import PROMTOOL
from devstack.services.prometheus import PROMETHEUS_YAML, Scrape, prometheus_service
from tests.support.dashboards import FILES, expressions, filled
from tests.support.servers import program

RULES = sorted((PROMETHEUS_YAML.parent / "rules").glob("*.yml"))
CASES = sorted((PROMETHEUS_YAML.parent / "tests").glob("*.yml"))


@pytest.fixture(scope="module")
def promtool() -> Path:
    return program(PROMTOOL)


def check(promtool: Path, *words: str | Path) -> str:
    """Run promtool, which has nothing to find fault with; return what it says."""
    argv = [str(promtool), *map(str, words)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_are_rules(promtool: Path) -> None:
    assert RULES
    told = check(promtool, "check", "rules", "--lint=all", "--lint-fatal", *RULES)
    assert told.count("SUCCESS") == len(RULES)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_rules_do_what_their_cases_say(promtool: Path, path: Path) -> None:
    check(promtool, "test", "rules", path)


def test_the_configuration_for_containers_is_one(promtool: Path) -> None:
    """The key, which it names, is only in a container."""
    check(promtool, "check", "config", "--syntax-only", PROMETHEUS_YAML)


def test_the_configuration_for_a_running_stack_finds_rules_and_key(
    promtool: Path, tmp_path: Path
) -> None:
    targets = {"voicefleet-tokens": ["127.0.0.1:1"], "voicefleet-workers": ["127.0.0.1:2"]}
    scrape = Scrape(targets=targets, admin_key="a-key-for-tests-only")
    prometheus_service(Path("/x"), port=3, run_dir=tmp_path, scrape=scrape, env={})
    config = tmp_path / "prometheus" / "prometheus.yml"

    told = check(promtool, "check", "config", "--lint=all", "--lint-fatal", config)

    assert [line for line in told.splitlines() if "Checking" in line] == [
        f"Checking {path}" for path in (config, *RULES)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_dashboards_ask_what_prometheus_understands(
    promtool: Path, path: Path, tmp_path: Path
) -> None:
    asked = [filled(expr) for expr in expressions(path)]
    rules = [{"record": f"asked:{number}", "expr": expr} for number, expr in enumerate(asked)]
    file = tmp_path / "asked.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": path.stem, "rules": rules}]}))

    assert f"{len(rules)} rules found" in check(promtool, "check", "rules", file)
