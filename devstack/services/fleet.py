"""The whole stack as a list of services, in the order in which they start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from devstack.services.config import DEFAULTS, StackConfig
from devstack.services.ports import LOOPBACK
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.servers import livekit_service, redis_service
from devstack.services.service import Service

LOCALVOICE_READY_WITHIN_S = 120.0
"""It loads a speech recognizer and a voice from disk."""
WORKER_READY_WITHIN_S = 120.0
"""It starts POOL_SIZE processes, each with all imports."""
WORKER_STOPS_AFTER_DRAINING_WITHIN_S = 20.0
"""It lets live conversations end first, for DRAIN_TIMEOUT_S; this is for the rest."""


def fleet_services(config: StackConfig, *, redis: Path, livekit: Path) -> list[Service]:
    """Describe all services, each after those it needs. Writes livekit-server's configuration."""
    return [
        *server_services(config, redis=redis, livekit=livekit),
        localvoice_service(config),
        tokenserver_service(config),
        worker_service(config),
    ]


def server_services(config: StackConfig, *, redis: Path, livekit: Path) -> list[Service]:
    """Describe Redis and livekit-server."""
    return [
        redis_service(redis, port=config.ports.redis, run_dir=config.run_dir, env=config.env),
        livekit_service(
            livekit,
            ports=config.ports,
            keys=config.keys,
            run_dir=config.run_dir,
            env=config.env,
            webhook_url=f"{config.api_url}/livekit/webhook",
        ),
    ]


def localvoice_service(config: StackConfig) -> Service:
    """Describe the speech server."""
    variables = {"LOCALVOICE_HOST": LOOPBACK, "LOCALVOICE_PORT": str(config.ports.localvoice)}
    return Service(
        command=_python_module("localvoice", config, variables),
        url=config.localvoice_url,
        ready=http_ok(f"{config.localvoice_url}/readyz"),
        ready_within_s=LOCALVOICE_READY_WITHIN_S,
    )


def tokenserver_service(config: StackConfig) -> Service:
    """Describe the HTTP API."""
    variables = _neighbours(config) | {
        "TOKENSERVER_HOST": LOOPBACK,
        "TOKENSERVER_PORT": str(config.ports.tokenserver),
        "LIVEKIT_PUBLIC_URL": config.env.get("LIVEKIT_PUBLIC_URL") or config.livekit_url,
        "ADMIN_API_KEY": config.admin_key,
        # No balancer stands in front that would have to notice.
        "SHUTDOWN_DELAY_S": config.env.get("SHUTDOWN_DELAY_S") or "0",
    }
    if config.web_dir:
        variables["WEB_DIR"] = str(config.web_dir)
    return Service(
        command=_python_module("tokenserver", config, variables),
        url=config.api_url,
        ready=http_ok(f"{config.api_url}/readyz"),
    )


def worker_service(config: StackConfig) -> Service:
    """Describe the agents' worker."""
    variables = _neighbours(config) | {
        "WORKER_HOST": LOOPBACK,
        "WORKER_PORT": str(config.ports.worker),
        "POOL_SIZE": config.env.get("POOL_SIZE") or DEFAULTS["POOL_SIZE"],
        "DRAIN_TIMEOUT_S": str(config.drain_timeout_s),
    }
    if not config.has_own_provider:
        variables |= {
            "OPENAI_BASE_URL": f"{config.localvoice_url}/v1",
            "OPENAI_API_KEY": config.localvoice_key or "local",
            "PROVIDER_TIMEOUT_S": config.env.get("PROVIDER_TIMEOUT_S")
            or DEFAULTS["PROVIDER_TIMEOUT_S"],
        }
    return Service(
        command=_python_module("worker", config, variables),
        url=config.worker_url,
        ready=http_ok(f"{config.worker_url}/readyz"),
        ready_within_s=WORKER_READY_WITHIN_S,
        stop_within_s=config.drain_timeout_s + WORKER_STOPS_AFTER_DRAINING_WITHIN_S,
    )


def _neighbours(config: StackConfig) -> dict[str, str]:
    """Return what both the token server and the worker need to know."""
    return {
        "REDIS_URL": config.redis_url,
        "LIVEKIT_URL": config.livekit_url,
        "LIVEKIT_API_KEY": config.keys.livekit_api_key,
        "LIVEKIT_API_SECRET": config.keys.livekit_api_secret,
        "AGENT_NAME": config.env.get("AGENT_NAME") or DEFAULTS["AGENT_NAME"],
    }


def _python_module(name: str, config: StackConfig, variables: Mapping[str, str]) -> Command:
    """Describe `python -m name`, run in its home, its output unbuffered."""
    return Command(
        name=name,
        argv=(str(config.python), "-m", name),
        env={**config.env, "PYTHONUNBUFFERED": "1", **variables},
        log=config.run_dir / "logs" / f"{name}.log",
        cwd=config.home,
    )
