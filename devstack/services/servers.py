"""The two servers that are not ours, as services: Redis and livekit-server.

They get a bare environment: livekit-server reads generic names such as NODE_IP, UDP_PORT and
REDIS_HOST, and neither server has any business with the keys in there.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from devstack.files import write_private
from devstack.services.keys import Keys
from devstack.services.ports import LOOPBACK, Ports
from devstack.services.process import Command
from devstack.services.readiness import http_ok, redis_ping
from devstack.services.service import Service
from devstack.settings import REPO, bare_environment

LIVEKIT_YAML = REPO / "livekit.yaml"
LIVEKIT_INSIST_AFTER_S = 1.0
"""The first SIGTERM waits for all participants, and is lost within 0.1 s of the server's start."""


def redis_service(
    program: Path, *, port: int, run_dir: Path, env: Mapping[str, str], is_durable: bool = True
) -> Service:
    """Describe a Redis on loopback. A durable one keeps its data in `run_dir` between runs."""
    data = run_dir / "redis"
    data.mkdir(parents=True, exist_ok=True)
    options = {
        "bind": LOOPBACK,
        "port": str(port),
        "dir": str(data),
        "appendonly": "yes" if is_durable else "no",
        "save": "",
        "daemonize": "no",
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    return Service(
        command=Command(
            name="redis",
            argv=(str(program), *arguments),
            env=bare_environment(env),
            log=run_dir / "logs" / "redis.log",
        ),
        url=f"redis://{LOOPBACK}:{port}/0",
        ready=redis_ping(port),
    )


def livekit_service(
    program: Path,
    *,
    ports: Ports,
    keys: Keys,
    run_dir: Path,
    env: Mapping[str, str],
    webhook_url: str | None,
    rtc: Mapping[str, object] | None = None,
    sections: Mapping[str, object] | None = None,
) -> Service:
    """Describe a livekit-server on loopback and write its configuration to `run_dir`.

    `rtc` is what of that section is to be otherwise; `sections` are there besides, or instead.
    """
    config = run_dir / "livekit.yaml"
    rendered = render_livekit_yaml(
        LIVEKIT_YAML.read_text(encoding="utf-8"),
        ports=ports,
        keys=keys,
        webhook_url=webhook_url,
        rtc=rtc,
        sections=sections,
    )
    write_private(config, rendered)
    return Service(
        command=Command(
            name="livekit",
            argv=(str(program), "--config", str(config)),
            env=bare_environment(env),
            log=run_dir / "logs" / "livekit.log",
        ),
        url=f"ws://{LOOPBACK}:{ports.livekit}",
        ready=http_ok(f"http://{LOOPBACK}:{ports.livekit}/"),
        insist_after_s=LIVEKIT_INSIST_AFTER_S,
    )


def render_livekit_yaml(
    template: str,
    *,
    ports: Ports,
    keys: Keys,
    webhook_url: str | None,
    rtc: Mapping[str, object] | None = None,
    sections: Mapping[str, object] | None = None,
) -> str:
    """Fill in what differs between runs. The result holds the API secret.

    `webhook_url` is None for a server that nobody listens to; `rtc` and whole `sections` have the
    last word.
    """
    config: dict[str, Any] = yaml.safe_load(template)
    config["port"] = ports.livekit
    config["rtc"] |= {
        "tcp_port": ports.livekit_tcp,
        "udp_port": ports.livekit_udp,
        # Nobody listens there for UDP, which clients are told at once (livekit.yaml).
        "stun_servers": [f"{LOOPBACK}:{ports.livekit_tcp}"],
    }
    if sys.platform == "darwin":
        config["rtc"]["interfaces"] = {"includes": ["lo0"]}
    config["rtc"] |= rtc or {}
    config["keys"] = {keys.livekit_api_key: keys.livekit_api_secret}
    config["webhook"] |= {"api_key": keys.livekit_api_key, "urls": [webhook_url]}
    if webhook_url is None:
        del config["webhook"]
    config |= sections or {}
    return "# Generated from livekit.yaml at each start.\n" + yaml.safe_dump(
        config, sort_keys=False
    )
