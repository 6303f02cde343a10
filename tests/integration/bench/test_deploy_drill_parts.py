"""Parts of the drill: a balancer that knows who is ready, and copies that are other versions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from aiohttp import web

from bench.deploy_drill.balancer import Balancer, running_balancer
from bench.deploy_drill.versions import Version, make_versions
from telemetry.version import VERSION
from tests.support.plain import NO_TLS
from tests.support.serving import serving
from tests.support.wait import eventually


@dataclass
class Server:
    """Says its name to everybody, and to balancers whether it is ready."""

    name: str
    is_ready: bool = True
    port: int = 0

    async def readyz(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.is_ready else 503)

    async def start(self, _: web.Request) -> web.Response:
        return web.Response(text=self.name)


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Server]:
    app = web.Application()
    app.router.add_get("/readyz", server.readyz)
    app.router.add_post("/api/session/start", server.start)
    async with serving(app) as address:
        server.port = int(address.rpartition(":")[2])
        yield server


async def asked(balancer: Balancer) -> str:
    """Return who answers a client that is new; nothing where nobody does."""
    async with httpx2.AsyncClient(timeout=10, verify=NO_TLS) as http:
        try:
            return (await http.post(f"{balancer.url}/api/session/start")).text
        except httpx2.TransportError:
            return ""


async def answers(balancer: Balancer) -> set[str]:
    return {await asked(balancer) for _ in range(4)}


async def test_connections_go_to_those_that_are_ready() -> None:
    """1. One server is ready, the other is not. 2. It is, too. 3. The first says that it stops.

    Result: each moment's clients are served by whoever is ready then, and it is known by whom.
    """
    async with (
        running(Server("old")) as old,
        running(Server("new", is_ready=False)) as new,
        running_balancer() as balancer,
    ):
        balancer.watch(old.port)
        balancer.watch(new.port)
        await eventually(lambda: _are(balancer, {"old"}), 20)
        new.is_ready = True
        await eventually(lambda: _are(balancer, {"old", "new"}), 20)
        old.is_ready = False
        await eventually(lambda: _are(balancer, {"new"}), 20)
        assert balancer.starts[-1][1] == new.port
        assert {port for _, port in balancer.starts} == {old.port, new.port}


async def test_nobody_is_asked_where_nobody_is_ready() -> None:
    async with running(Server("old")) as old, running_balancer() as balancer:
        assert await asked(balancer) == ""
        balancer.watch(old.port)
        await eventually(lambda: _are(balancer, {"old"}), 20)
        turned_away = balancer.turned_away
        balancer.forget(old.port)
        assert await asked(balancer) == ""
        assert balancer.turned_away > turned_away


async def test_a_server_that_is_gone_is_seen_by_its_client() -> None:
    """It is taken for ready until the balancer looks again: no other server is tried instead."""
    never_again_s = 3600
    async with running(Server("other")) as other, running_balancer(never_again_s) as balancer:
        async with running(Server("gone")) as gone:
            balancer.watch(gone.port)
            balancer.watch(other.port)
            await eventually(lambda: _are(balancer, {"gone", "other"}), 20)
        assert await answers(balancer) == {"", "other"}


async def _are(balancer: Balancer, names: set[str]) -> bool:
    return await answers(balancer) == names


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("versions")


def test_copies_are_other_versions_and_one_of_them_cannot_start(folder: Path) -> None:
    versions = make_versions(folder)

    assert _said(versions.old) == VERSION
    for version in (versions.new, versions.unready):
        assert version.name.startswith(f"{VERSION}+")
        assert _said(version) == version.name
    with pytest.raises(subprocess.CalledProcessError) as refused:
        _said(versions.broken)
    assert "ModuleNotFoundError" in refused.value.stderr
    assert [one.is_good for one in (versions.new, versions.broken, versions.unready)] == [
        True,
        False,
        False,
    ]
    assert versions.unready.settings
    # The code of it, too: nothing is imported from the checkout.
    assert (versions.new.folder / "sessions" / "lua").is_dir()


def _said(version: Version) -> str:
    """Return the version that code in a folder says it is, and that it comes from there."""
    program = "import telemetry.version as own; print(own.VERSION, own.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=version.folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    said, file = done.stdout.split()
    assert Path(file).is_relative_to(version.folder)
    return said
