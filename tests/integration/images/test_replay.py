"""A small image of our own making: built, run read-only, and ended; and each way to fail."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from devstack.errors import BuildFailed, DevstackError
from devstack.images.context import Context
from devstack.images.dockerfile import NotUnderstood, parse_dockerfile
from devstack.images.layers import size_rows
from devstack.images.replay import Builder, Image
from devstack.images.room import TEMPORARY, lacking
from devstack.images.trial import Running, Trial, TrialFailed
from devstack.settings import process_environment
from devstack.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.skipif(
    bool(lacking()), reason=f"rooms need what is not here: {', '.join(lacking())}"
)

DOCKERFILE = """\
FROM base:1.0 AS build
ARG GREETING=hello
ENV KEPT=in-the-build-only
WORKDIR /app
COPY thing thing
RUN python -m compileall -q thing && echo "$GREETING" > greeting

FROM base:1.0
ENV THING_FOLDER=/var/thing
WORKDIR /app
RUN install -d -o 10001 -g 10001 /var/thing
COPY --from=build /app /app
USER 10001:10001
VOLUME ["/var/thing"]
HEALTHCHECK CMD ["test", "-e", "/var/thing/ready"]
ENTRYPOINT ["python", "-m", "thing"]
"""
THING = """\
import os, pathlib, signal, sys, tempfile
assert os.getpid() == 1
signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(os.environ.get("STATUS", "0"))))
if "DEAF" in os.environ:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if folder := os.environ.get("WRITES_TO"):
    pathlib.Path(folder, "anything").write_text("x")
assert pathlib.Path("greeting").read_text() == "hello\\n"
assert "KEPT" not in os.environ
pathlib.Path(tempfile.gettempdir(), "scratch").write_text("x")
if "SICK" not in os.environ:
    pathlib.Path(os.environ["THING_FOLDER"], "ready").write_text("x")
while True:
    signal.pause()
"""


class Workshop:
    """A folder with a build context; builds it and tries what it has built."""

    def __init__(self, folder: Path) -> None:
        self.context = folder / "context"
        self.output = io.StringIO()
        self._folder = folder
        package = self.context / "thing"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "__main__.py").write_text(THING)
        (package / "key.pem").write_text("a secret")
        (self.context / ".dockerignore").write_text("*\n!thing\n**/*.pem\n")

    def build(self, text: str = DOCKERFILE) -> Image:
        env = process_environment()
        builder = Builder(
            parse_dockerfile("Dockerfile.thing", text),
            Context.of(self.context),
            self._folder / "stages",
            env,
            Terminal({}, self.output),
        )
        return builder.build()

    @asynccontextmanager
    async def running(self, image: Image, **settings: str) -> AsyncIterator[Running]:
        trial = Trial(
            image=image,
            settings=settings,
            folder=self._folder / "trial",
            healthy_within_s=4.0 if "SICK" in settings else 60.0,
            stops_within_s=2.0 if "DEAF" in settings else 60.0,
        )
        trial.folder.mkdir()
        running = await Running.start(trial)
        try:
            yield running
        finally:
            await running.stop()


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(tmp_path)
    yield made
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    assert str(tmp_path) not in mounts


async def test_an_image_is_built_and_run_and_ended(workshop: Workshop) -> None:
    image = workshop.build()
    assert image.entrypoint == ("python", "-m", "thing")
    assert image.env["THING_FOLDER"] == "/var/thing"
    assert not list(image.root.rglob("*.pem"))
    async with workshop.running(image) as running:
        await running.until_healthy()
        running.must_be_unprivileged()
        assert running.written() == [f"{TEMPORARY}/scratch", "/var/thing/ready"]
        await running.end()
    assert not (image.root / "tmp" / "scratch").exists()
    assert not (image.root / "var" / "thing" / "ready").exists()


async def test_no_setting_is_an_argument_that_everybody_sees(workshop: Workshop) -> None:
    image = workshop.build()
    key = secrets.token_hex()
    async with workshop.running(image, KEY=key) as running:
        await running.until_healthy()
        shown = commands_shown()
    assert any("\0-m\0thing\0" in command for command in shown)
    assert not any(key in command for command in shown)


def commands_shown() -> list[str]:
    """Return the arguments of all processes, as anybody sees them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # one that is gone
            text = (process / "cmdline").read_text(encoding="utf-8", errors="replace")
            found.append(text)
    return found


def test_layers_tell_what_each_instruction_has_added(workshop: Workshop) -> None:
    image = workshop.build()
    (copied,) = (one for one in image.layers if one.instruction.startswith("COPY"))
    # Two modules, both compiled, and the greeting.
    assert copied.files == 5
    assert copied.size_bytes >= len(THING) + len("hello\n")
    assert [row[-1] for row in size_rows("thing", image.layers)] == [
        "COPY /app /app",
        "all of them",
    ]


def test_a_build_that_fails_shows_what_it_said(workshop: Workshop) -> None:
    with pytest.raises(BuildFailed, match="thing:6 failed") as raised:
        workshop.build(DOCKERFILE.replace("compileall -q", "compileall --nonsense"))
    assert "--nonsense" in raised.value.log_tail


def test_nothing_comes_from_outside_the_context(workshop: Workshop) -> None:
    with pytest.raises(NotUnderstood, match="the context has none"):
        workshop.build(DOCKERFILE.replace("COPY thing thing", "COPY thing/key.pem thing/"))


@pytest.mark.parametrize("place", ["/app", "/var", "/root", "/etc", "/usr"])
async def test_the_root_is_read_only(workshop: Workshop, place: str) -> None:
    """Even for root, whom file modes would not keep away."""
    image = workshop.build(DOCKERFILE.replace("USER 10001:10001", "USER 0:0"))
    async with workshop.running(image, WRITES_TO=place) as running:
        with pytest.raises(TrialFailed, match="ended by itself with status 1") as raised:
            await running.until_healthy()
    assert "Read-only file system" in raised.value.log_tail


async def test_root_is_found_out(workshop: Workshop) -> None:
    image = workshop.build(DOCKERFILE.replace("USER 10001:10001", "USER 0:0"))
    async with workshop.running(image) as running:
        await running.until_healthy()
        with pytest.raises(TrialFailed, match="runs as 0"):
            running.must_be_unprivileged()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"STATUS": "3"}, "ended with status 3 after SIGTERM"),
        ({"DEAF": "1"}, "ran on 2 s after SIGTERM"),
    ],
)
async def test_it_has_to_end_in_order(
    workshop: Workshop, settings: dict[str, str], complaint: str
) -> None:
    image = workshop.build()
    async with workshop.running(image, **settings) as running:
        await running.until_healthy()
        with pytest.raises(TrialFailed, match=complaint):
            await running.end()


async def test_a_shell_does_not_pass_the_signal_on(workshop: Workshop) -> None:
    """Why ENTRYPOINT has to be a list: as process 1, a shell does not even end."""
    shell = '["sh", "-c", "touch $THING_FOLDER/ready; sleep 99; :"]'
    image = workshop.build(DOCKERFILE.replace('["python", "-m", "thing"]', shell))
    async with workshop.running(image, DEAF="1") as running:
        await running.until_healthy()
        with pytest.raises(TrialFailed, match="ran on 2 s after SIGTERM"):
            await running.end()


async def test_what_is_never_healthy_is_told_with_its_log(workshop: Workshop) -> None:
    image = workshop.build()
    async with workshop.running(image, SICK="1") as running:
        with pytest.raises(TrialFailed, match="was not healthy within 4 s"):
            await running.until_healthy()


def test_what_cannot_be_replayed_is_refused(workshop: Workshop) -> None:
    with pytest.raises(DevstackError, match="no ENTRYPOINT or HEALTHCHECK as a list"):
        workshop.build(DOCKERFILE.replace('["python", "-m", "thing"]', "python -m thing"))
