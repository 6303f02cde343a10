"""A server with pages. Nobody listens where its Redis and its LiveKit ought to be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.services.keys import Keys
from devstack.services.ports import Ports
from devstack.services.service import Service
from tests.integration.tokenserver.conftest import tokenserver_service, variables
from tests.support.builds import make_build
from tests.support.servers import neutral_environment, running

#: Where browsers are told that LiveKit is.
MEDIA = "wss://media.example.com"
#: The one other origin whose pages may call the API.
ORIGIN = "https://app.example.com"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server writes; its build is beside it, in `dist`."""
    return tmp_path_factory.mktemp("pages") / "tokenserver.log"


@pytest.fixture(scope="module")
def url(log: Path) -> Iterator[str]:
    build = make_build(log.parent / "dist")

    def describe(ports: Ports) -> list[Service]:
        env = neutral_environment() | variables(ports, Keys.generate())
        env |= {
            "WEB_DIR": str(build),
            "LIVEKIT_PUBLIC_URL": MEDIA,
            "CORS_ORIGINS": json.dumps([ORIGIN]),
        }
        return [tokenserver_service(env, ports, log, ready="healthz")]

    with running(describe, "pages") as (_, ports):
        yield f"http://127.0.0.1:{ports.tokenserver}"
