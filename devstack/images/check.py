"""`make images-check`: what the Dockerfiles say, done without a container engine."""

from __future__ import annotations

import asyncio
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from devstack.errors import DevstackError
from devstack.images.context import Context
from devstack.images.dockerfile import Dockerfile, read_dockerfile
from devstack.images.layers import SIZE_HEADER, largest, shown_size, size_rows
from devstack.images.replay import Builder, Image
from devstack.images.room import must_be_possible
from devstack.images.rules import broken_rules
from devstack.images.trial import Running, Trial, TrialFailed
from devstack.services.config import StackConfig
from devstack.services.fleet import (
    localvoice_service,
    server_services,
    tokenserver_service,
    worker_service,
)
from devstack.services.keys import Keys
from devstack.services.ports import random_ports
from devstack.services.readiness import http_ok, verdict
from devstack.services.runner import Tools, ensure_tools
from devstack.services.stack import Stack
from devstack.settings import REPO, bare_environment
from devstack.terminal import Terminal

#: In the order in which they are started: a worker wants a voice.
SERVICES = {
    "localvoice": localvoice_service,
    "tokens": tokenserver_service,
    "worker": worker_service,
}
GREETING_WITHIN_S = 120.0
BIGGEST = 6
"""How many packages are named as what makes an image big."""


def check_images(env: Mapping[str, str], terminal: Terminal, names: Sequence[str] = ()) -> int:
    """Check all images, or those that are named; return 0 when all is well.

    Raises `DevstackError` for the first thing that is not.
    """
    chosen = [name for name in SERVICES if not names or name in names]
    if unknown := set(names) - SERVICES.keys():
        raise DevstackError(f"no image {', '.join(sorted(unknown))}: {', '.join(SERVICES)}.")
    dockerfiles = [read_dockerfile(REPO / f"Dockerfile.{name}") for name in chosen]
    context = Context.of(REPO)
    if problems := [one for file in dockerfiles for one in broken_rules(file, context)]:
        raise DevstackError("\n".join(problems))
    must_be_possible()
    tools = ensure_tools(env, terminal)
    with tempfile.TemporaryDirectory(prefix="voicefleet-images-") as scratch:
        images = {}
        for file, name in zip(dockerfiles, chosen, strict=True):
            terminal.title(f"── {file.name}")
            images[name] = Builder(file, context, Path(scratch) / name, env, terminal).build()
        terminal.title("── run read-only")
        asyncio.run(_run(images, Path(scratch), env, tools, terminal))
        _tell_sizes(list(images.values()), terminal)
    _tell_unchecked(dockerfiles, terminal)
    return 0


async def _run(
    images: Mapping[str, Image],
    scratch: Path,
    env: Mapping[str, str],
    tools: Tools,
    terminal: Terminal,
) -> None:
    """Run all of them together, with a real Redis and a real livekit-server; then end them."""
    config = StackConfig(
        run_dir=scratch / "run", ports=random_ports(), keys=Keys.generate(), env={}
    )
    bare = StackConfig(
        run_dir=config.run_dir, ports=config.ports, keys=config.keys, env=bare_environment(env)
    )
    async with AsyncExitStack() as cleaning:
        servers = Stack(server_services(bare, redis=tools.redis, livekit=tools.livekit))
        cleaning.push_async_callback(servers.stop)
        await servers.start()
        running = []
        for name, image in images.items():
            one = await _started(name, image, config, cleaning, terminal)
            running.append(one)
        for one in running:
            await _look_closer(one, config, has_voice="localvoice" in images)
            for path in one.written():
                terminal.note(f"{one.trial.image.name} has written {path}")
        for one in reversed(running):
            terminal.step(one.trial.image.name, "ended", await one.end(), "SIGTERM, status 0")


async def _started(
    name: str, image: Image, config: StackConfig, cleaning: AsyncExitStack, terminal: Terminal
) -> Running:
    service = SERVICES[name](config)
    one = await Running.start(
        Trial(
            image=image,
            settings=service.command.env,
            folder=config.run_dir / f"image-{name}",
            healthy_within_s=service.ready_within_s * 2,
            stops_within_s=service.stop_within_s,
        )
    )
    cleaning.push_async_callback(one.stop)
    terminal.step(name, "healthy", await one.until_healthy(), f"user {image.user}, process 1")
    one.must_be_unprivileged()
    return one


async def _look_closer(one: Running, config: StackConfig, *, has_voice: bool) -> None:
    """Look for what no HEALTHCHECK tells: the pages, and the greetings that are kept."""
    name = one.trial.image.name
    if name == "tokens" and (reason := await verdict(http_ok(f"{config.api_url}/"))):
        raise TrialFailed(f"the image tokens serves no pages: {reason}.")
    if name == "worker" and has_voice:
        (volume,) = one.trial.volumes.values()
        await one.until(lambda: any(volume.glob("*.wav")), "keeps no greeting", GREETING_WITHIN_S)


def _tell_sizes(images: Sequence[Image], terminal: Terminal) -> None:
    """Write a table of what each instruction of an image has added to its base."""
    terminal.title("── layers, unpacked, without the base image")
    rows = [row for image in images for row in size_rows(image.name, image.layers)]
    terminal.table([SIZE_HEADER, *rows])
    terminal.title("── what is biggest in /opt/venv")
    for image in images:
        for packages in image.root.glob("opt/venv/lib/*/site-packages"):
            found = largest(packages, BIGGEST)
            names = ", ".join(f"{name} {shown_size(size_bytes)}" for name, size_bytes in found)
            terminal.note(f"{image.name}: {names}")


def _tell_unchecked(files: Sequence[Dockerfile], terminal: Terminal) -> None:
    """Write what nobody can know without a container engine and a registry of images."""
    built = {one.name for file in files for one in file.stages}
    bases = sorted({one.base for file in files for one in file.stages} - built)
    terminal.title("── not checked")
    python = ".".join(map(str, sys.version_info[:3]))
    for line in (
        f"what is in {', '.join(bases)}; that these tags exist, and their digests",
        f"their Python and C library: here it was Python {python}, and this machine's libraries",
        f"another architecture than {platform.machine()}",
        "how big the layers are once packed, and whether an engine shares them",
        "seccomp, AppArmor, limits of memory and processes; published ports",
    ):
        terminal.note(f"- {line}")
