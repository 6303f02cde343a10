"""Prometheus as a service, with what deploy/prometheus has, on the addresses of a running stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from devstack.files import write_private
from devstack.install.prometheus import pages_of
from devstack.services.ports import LOOPBACK
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.service import Service
from devstack.settings import REPO, bare_environment

PROMETHEUS_YAML = REPO / "deploy" / "prometheus" / "prometheus.yml"
RULES = PROMETHEUS_YAML.parent / "rules" / "*.yml"
RETENTION = "31d"
"""The error budget is of 30 days (deploy/prometheus/rules/recording.yml)."""
READY_WITHIN_S = 120.0
"""It reads again what it had not yet written in order."""
STOPS_WITHIN_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Scrape:
    """Whom to scrape: `host:port` by the job of deploy/prometheus, and the token servers' key."""

    targets: Mapping[str, Sequence[str]]
    admin_key: str = field(repr=False)


def prometheus_service(
    program: Path, *, port: int, run_dir: Path, scrape: Scrape, env: Mapping[str, str]
) -> Service:
    """Describe a Prometheus on loopback; write its configuration, and the key it scrapes with."""
    directory = run_dir / "prometheus"
    config = directory / "prometheus.yml"
    write_private(admin_key_file(run_dir), scrape.admin_key)
    template = PROMETHEUS_YAML.read_text(encoding="utf-8")
    write_private(config, render_prometheus_yaml(template, scrape, admin_key_file(run_dir)))
    options = {
        "config.file": str(config),
        "storage.tsdb.path": str(directory / "data"),
        "storage.tsdb.retention.time": RETENTION,
        "web.listen-address": f"{LOOPBACK}:{port}",
    }
    if pages := pages_of(program):
        options["web.local-assets"] = str(pages)
    return Service(
        command=Command(
            name="prometheus",
            argv=(str(program), *(f"--{name}={value}" for name, value in options.items())),
            env=bare_environment(env),
            log=run_dir / "logs" / "prometheus.log",
        ),
        url=f"http://{LOOPBACK}:{port}",
        ready=http_ok(f"http://{LOOPBACK}:{port}/-/ready"),
        ready_within_s=READY_WITHIN_S,
        stop_within_s=STOPS_WITHIN_S,
    )


def admin_key_file(run_dir: Path) -> Path:
    """Return the file with the key, which Prometheus reads at each scrape."""
    return run_dir / "prometheus" / "admin-key"


def render_prometheus_yaml(template: str, scrape: Scrape, key_file: Path) -> str:
    """Fill in what differs between runs: addresses, and where the rules and the key are."""
    config: dict[str, Any] = yaml.safe_load(template)
    config["rule_files"] = [str(RULES)]
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": list(scrape.targets[job["job_name"]])}]
        if "authorization" in job:
            job["authorization"]["credentials_file"] = str(key_file)
    return "# Generated from deploy/prometheus/prometheus.yml at each start.\n" + yaml.safe_dump(
        config, sort_keys=False
    )
