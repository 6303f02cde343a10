"""deploy/livekit/livekit.yaml: the real server starts with it, on other ports and addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from livekit import api

from devstack.install.tools import LIVEKIT
from devstack.services.ports import LOOPBACK, free_port
from devstack.settings import REPO, process_environment
from tests.support.plain import NO_TLS
from tests.support.servers import RedisServer, program
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(120)

FILE = REPO / "deploy" / "livekit" / "livekit.yaml"
SECRET = "s" * 40


def on_this_machine(redis: RedisServer) -> dict[str, Any]:
    """Return it with what is marked YOURS, and ports that are free; all else as it stands."""
    config: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    config |= {"port": free_port(), "bind_addresses": [LOOPBACK]}
    config["redis"]["address"] = f"{LOOPBACK}:{redis.port}"
    config["rtc"] |= {"udp_port": free_port(), "tcp_port": free_port()}
    # It would ask a server on the Internet.
    config["rtc"] |= {"use_external_ip": False, "node_ip": LOOPBACK}
    config["turn"] |= {"tls_port": free_port(), "udp_port": free_port()}
    config["prometheus"]["port"] = free_port()
    config["webhook"]["urls"] = [f"http://{LOOPBACK}:{free_port()}/livekit/webhook"]
    return config


def environment() -> Mapping[str, str]:
    return {**process_environment(), "LIVEKIT_KEYS": f'voicefleet: "{SECRET}"'}


async def start(config: dict[str, Any], folder: Path) -> asyncio.subprocess.Process:
    file, log = folder / "livekit.yaml", folder / "livekit.log"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    with log.open("wb") as output:
        return await asyncio.create_subprocess_exec(
            *(str(program(LIVEKIT)), "--config", str(file)),
            env=environment(),
            stdout=output,
            stderr=output,
        )


async def test_the_server_starts_and_opens_a_room(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    config = on_this_machine(redis_server)
    process = await start(config, tmp_path)
    url = f"http://{LOOPBACK}:{config['port']}"
    try:

        async def answers() -> bool:
            assert process.returncode is None, (tmp_path / "livekit.log").read_text()
            async with httpx2.AsyncClient(timeout=5, verify=NO_TLS) as http:
                try:
                    return (await http.get(url)).status_code == 200
                except httpx2.TransportError:
                    return False

        await eventually(answers, 60)
        async with api.LiveKitAPI(url, "voicefleet", SECRET) as livekit:
            room = await livekit.room.create_room(api.CreateRoomRequest(name="production"))
            assert (room.empty_timeout, room.departure_timeout, room.max_participants) == (
                60,
                20,
                2,
            )
            await livekit.room.delete_room(api.DeleteRoomRequest(room="production"))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert SECRET not in (tmp_path / "livekit.log").read_text()


async def test_a_key_that_the_server_does_not_know_would_be_found(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """What the test above relies on."""
    config = on_this_machine(redis_server)
    config["turn"]["tls_prot"] = 443
    process = await start(config, tmp_path)
    try:
        # Its exit status is 0 all the same.
        await asyncio.wait_for(process.wait(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert "tls_prot" in (tmp_path / "livekit.log").read_text()


def test_what_has_to_be_the_same_everywhere_is() -> None:
    """As in the file that `make run` uses: rooms, agents, and which webhooks are sent."""
    ours, theirs = (
        yaml.safe_load(path.read_text(encoding="utf-8")) for path in (FILE, REPO / "livekit.yaml")
    )
    assert ours["room"] == theirs["room"]
    assert ours["agents"] == theirs["agents"]
    assert ours["webhook"] | {"urls": []} == theirs["webhook"] | {"urls": []}
    assert "keys" not in ours
