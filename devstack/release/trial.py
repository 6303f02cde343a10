"""A wheel, tried where nothing of the checkout is: installed, asked, and spoken with."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from devstack.errors import DevstackError
from devstack.install.environment import venv_python
from devstack.install.steps import StepFailed, run_step
from devstack.install.uv import ensure_uv, uv_environment
from devstack.release.pins import IMAGES, lock_path
from devstack.services.config import StackConfig
from devstack.services.fleet import fleet_services
from devstack.services.keys import Keys
from devstack.services.narration import Narrator
from devstack.services.ports import random_ports
from devstack.services.process import Command, RunningProcess
from devstack.services.readiness import http_ok, until_ready
from devstack.services.record import StackLock, stack_file
from devstack.services.runner import Tools, describe_stack
from devstack.services.stack import Stack
from devstack.settings import REPO, bare_environment
from devstack.terminal import Terminal

MODULES = ("tokenserver", "worker", "supervisor", "sessions", "localvoice")
"""What one can run of an installed wheel: `python -m …`."""
QUESTION = "What is seven plus five?"
ANSWERED_WITHIN_S = 120.0
ASKED_WITHIN_S = 300.0
PAGES_WITHIN_S = 10.0
SETTINGS = {"POOL_SIZE": "1", "PROVIDER_TIMEOUT_S": "60", "LOCALVOICE_QUEUE_TIMEOUT_S": "60"}
"""One user comes, to a machine that may be busy."""


class TrialFailed(DevstackError):
    """Raised when what was installed does not do what it should."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial in a folder outside the checkout; `env` and `terminal` are those of its user."""

    folder: Path
    env: Mapping[str, str] = field(repr=False)
    terminal: Terminal = field(repr=False)

    @property
    def python(self) -> Path:
        """The interpreter that finds the installed wheel."""
        return venv_python(self.folder / "venv")

    @property
    def home(self) -> Path:
        """An empty folder in which the services run: what they import is installed."""
        return self.folder / "home"

    @property
    def run_dir(self) -> Path:
        """Logs, data and keys of the trial."""
        return self.folder / "run"

    def install(self, wheel: Path) -> None:
        """Make an environment with the locked packages and the wheel. Raises `TrialFailed`.

        Packages come from uv's cache; only where one is missing is an index asked.
        """
        self.home.mkdir(parents=True)
        uv, python = str(ensure_uv(self.env, self.terminal)), str(self.python)
        make = [uv, "venv", "--quiet", "--python", sys.executable, str(self.folder / "venv")]
        locks = [word for name in IMAGES for word in ("-r", str(lock_path(name)))]
        into = [uv, "pip", "install", "--quiet", "--python", python]
        steps: Sequence[tuple[str, list[str]]] = (
            ("venv", make),
            ("packages", [*into, "--require-hashes", *locks]),
            ("wheel", [*into, "--no-deps", str(wheel)]),
            ("agreement", [uv, "pip", "check", "--quiet", "--python", python]),
        )
        for name, argv in steps:
            self.terminal.step(name, "ok", self._run_uv(name, argv))

    def _run_uv(self, name: str, argv: list[str]) -> float:
        """Run uv, at first with what its cache has; return how many seconds that took."""
        env = uv_environment(self.env)
        with suppress(StepFailed):
            return run_step(self.terminal, name, "offline", argv, {**env, "UV_OFFLINE": "1"})
        try:
            return run_step(self.terminal, name, "installing", argv, env)
        except StepFailed as error:
            raise TrialFailed(
                f"the step {name} failed: above is what uv says. Without a network its cache has "
                "to have the packages; what the wheel needs has to fit the locks (`make lock`).",
                log_tail=error.log_tail,
            ) from None

    def ask_modules(self, version: str) -> None:
        """See that each program is the installed one, has a help, and tells the version.

        Raises `TrialFailed`.
        """
        origin = (
            f"import importlib, sys\nfor name in {MODULES!r}:\n"
            "    file = importlib.import_module(name).__file__\n"
            "    if not file.startswith(sys.prefix): sys.exit(f'{name} is of {file}')\n"
        )
        self._run_python("origin", "-c", origin)
        for name in MODULES:
            self._run_python(name, "-m", name, "--help")
        said = self._run_python("openapi", "-m", "tokenserver", "--openapi")
        if f'"version": "{version}"' not in said:
            raise TrialFailed(f"the installed token server does not say that it is {version}.")

    def _run_python(self, name: str, *arguments: str) -> str:
        """Run the installed Python; return what it printed, in whichever way."""
        log = self.run_dir / "logs" / f"asked-{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        argv = [str(self.python), *arguments]
        env = bare_environment(self.env)
        try:
            seconds = run_step(self.terminal, name, "asking", argv, env, log=log, cwd=self.home)
        except StepFailed as error:
            raise TrialFailed(
                f"`python {' '.join(arguments[:2])[:60]} …` does not run where only the wheel is: "
                "above is the end of what it says.",
                log_tail=error.log_tail,
            ) from None
        self.terminal.step(name, "ok", seconds)
        return log.read_text(encoding="utf-8")

    def converse(self, archive: Path, tools: Tools) -> None:
        """Run the installed fleet, open its page, hold a conversation, stop everything.

        `archive` has the pages. Raises `DevstackError` when a service does not start, or the
        question has no answer.
        """
        lock, _ = StackLock.acquire(self.run_dir)
        env = bare_environment(self.env) | SETTINGS
        try:
            config = StackConfig(
                run_dir=self.run_dir,
                ports=random_ports(),
                keys=Keys.generate(),
                env=env | {"GREETING_CACHE_DIR": str(self.folder / "greetings")},
                web_dir=self._unpack(archive),
                python=self.python,
                home=self.home,
            )
            asyncio.run(_converse(config, tools, lock, self.terminal))
        except asyncio.CancelledError:  # SIGTERM
            raise KeyboardInterrupt from None
        finally:
            lock.release()

    def _unpack(self, archive: Path) -> Path:
        with tarfile.open(archive) as packed:
            packed.extractall(self.folder / "pages", filter="data")
        (pages,) = (self.folder / "pages").iterdir()
        return pages

    def keep_logs(self, target: Path) -> None:
        """Copy the logs of a failed trial to where they outlive it."""
        shutil.rmtree(target, ignore_errors=True)
        if (self.run_dir / "logs").is_dir():
            shutil.copytree(self.run_dir / "logs", target)


async def _converse(config: StackConfig, tools: Tools, lock: StackLock, terminal: Terminal) -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    narrator = Narrator(terminal, lambda: lock.note(stack.pids))
    services = fleet_services(config, redis=tools.redis, livekit=tools.livekit)
    stack = Stack(services, narrator)
    async with narrator.clock():
        try:
            await stack.start()
            lock.publish(describe_stack(config, stack))
            await until_ready(http_ok(f"{config.web_url}/"), PAGES_WITHIN_S)
            terminal.step("page", "ok")
            await _ask(config, terminal)
        finally:
            await asyncio.shield(stack.stop())


async def _ask(config: StackConfig, terminal: Terminal) -> None:
    """Speak a question into a room, and wait for the answer."""
    began = asyncio.get_running_loop().time()
    where = ("--stack", str(stack_file(config.run_dir)), "--timeout", f"{ANSWERED_WITHIN_S:.0f}")
    out = ("--out", str(config.run_dir / "answer.wav"))
    command = Command(
        name="ask",
        argv=(sys.executable, "-m", "devstack.talk.ask", *where, *out, QUESTION),
        log=config.run_dir / "logs" / "ask.log",
        env=bare_environment(config.env) | {"PYTHONUNBUFFERED": "1"},
        cwd=REPO,
    )
    process = await RunningProcess.start(command)
    try:
        async with asyncio.timeout(ASKED_WITHIN_S):
            code = await asyncio.shield(process.exited)
    except TimeoutError:
        code = None
    finally:
        if not process.exited.done():
            await process.stop(10)
    if code != 0:
        raise TrialFailed(
            "the installed fleet runs, but a question had no answer: above is the end of what "
            "`make ask` says.",
            log_tail=process.log_tail(),
        )
    terminal.step("conversation", "ok", asyncio.get_running_loop().time() - began)
