"""Somebody who has a fresh checkout, and types what a page says."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from devstack.install.pages import DIST
from devstack.release.contents import git
from devstack.services.ports import PORT_SETTINGS, free_port, random_ports
from devstack.settings import REPO, VENV
from tests.support.programs import processes_with
from tests.support.servers import neutral_environment
from tests.support.wait import eventually_sync

#: Generous: the machine that runs the tests may be busy with something else.
ENDS_WITHIN_S = 240.0
#: As often a question is asked that was misheard, by the small models of this machine.
_ASKED_AT_MOST = 3
#: Where the pages have what: the ports of the stack, and that of a page of the reader's own.
_OWN_PAGE_PORT = 3001


class Reader:
    """Types commands in `checkout`. Ports that the pages name become free ones, and only those."""

    def __init__(self, home: Path, pages: Path, tools: Mapping[str, str]) -> None:
        self.checkout = fresh_checkout(home / "voicefleet", pages)
        ports = {f"{name.upper()}_PORT": port for name, port in asdict(random_ports()).items()}
        self._home = home
        self._port_of = {one.default: ports[one.variable] for one in PORT_SETTINGS}
        self._port_of[_OWN_PAGE_PORT] = free_port(ports.values())
        ports["PROMETHEUS_PORT"] = free_port([*ports.values(), *self._port_of.values()])
        self.env = neutral_environment() | {name: str(port) for name, port in ports.items()}
        self.env |= tools
        # A process of ours is one that has this, also when nobody waits for it.
        self.env |= {"TMPDIR": str(home), "GREETING_CACHE_DIR": str(home / "greetings")}
        self.env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{self.env['PATH']}"
        #: What stays until Ctrl-C, the last one last.
        self.staying: list[Staying] = []

    def typed(self, text: str) -> str:
        """Return what is typed for what a page says."""
        return re.sub(
            r"(127\.0\.0\.1:|http\.server )(\d+)",
            lambda found: f"{found[1]}{self._port_of[int(found[2])]}",
            text,
        )

    def run(self, text: str, *says: str) -> str:
        """Type something and wait for its end; return what it wrote, which has to have `says`.

        As a person would, ask the agent again who was misheard.
        """
        env = self.env
        if is_question := text.startswith("make ask"):
            # Another deadline than a user's, who would not wait for a busy machine.
            env = env | {"ARGS": "--timeout 120"}
        for _ in range(_ASKED_AT_MOST if is_question else 1):
            output = self._run(text, env)
            missing = [words for words in says if words not in output]
            if not missing:
                break
        assert missing == [], output
        return output

    def start(self, text: str, says: str) -> Staying:
        """Type something that stays, and wait until it has written `says`."""
        log = self._home / f"output-{len(self.staying)}"
        self.staying.append(Staying(self.typed(text), log, self.checkout, self.env))
        self.staying[-1].until(says)
        return self.staying[-1]

    @property
    def api_url(self) -> str:
        """Where the token server listens."""
        return self.typed("http://127.0.0.1:8080")

    @property
    def own_page_url(self) -> str:
        """Where the reader's own page is."""
        return self.typed(f"http://127.0.0.1:{_OWN_PAGE_PORT}/")

    def processes(self) -> dict[int, str]:
        """Return what runs of all that was typed."""
        return processes_with(f"TMPDIR={self._home}")

    def _run(self, text: str, env: Mapping[str, str]) -> str:
        """Run something to its end, but not to that of what it leaves running."""
        log = self._home / "output"
        with log.open("wb") as output:
            done = subprocess.run(
                ["/bin/sh", "-e", "-c", self.typed(text)],
                cwd=self.checkout,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=ENDS_WITHIN_S,
            )
        written = log.read_text(errors="replace")
        assert done.returncode == 0, f"{text}\n{written}"
        return written

    def assert_nothing_runs(self) -> None:
        """Fail when something runs for long."""
        eventually_sync(lambda: not self.processes(), ENDS_WITHIN_S, message="everything ends")

    def end(self) -> None:
        """Leave nothing behind, whatever the test did."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for one in self.staying:
            one.process.wait(ENDS_WITHIN_S)


class Staying:
    """A command in a terminal of its own, until Ctrl-C."""

    def __init__(self, text: str, log: Path, cwd: Path, env: Mapping[str, str]) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ["/bin/sh", "-e", "-c", text],
                cwd=cwd,
                env={**env, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace")

    def until(self, words: str) -> None:
        """Wait until it has written something."""

        def is_written() -> bool:
            assert self.process.poll() is None, self.output
            return words in self.output

        eventually_sync(is_written, ENDS_WITHIN_S, message=f"it says {words!r}")

    def press_ctrl_c(self) -> None:
        """Have it end, and all that it has started, as a terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(ENDS_WITHIN_S)


@contextmanager
def reading(home: Path, pages: Path, tools: Mapping[str, str]) -> Iterator[Reader]:
    """Have a reader, of whom nothing is left afterwards."""
    reader = Reader(home, pages, tools)
    try:
        yield reader
    finally:
        reader.end()


def fresh_checkout(target: Path, pages: Path) -> Path:
    """Copy the sources as they are; what was installed and built before is there already."""
    for name in git("ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (source := REPO / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)
    (target / VENV.name).symlink_to(VENV)
    (target / "web" / DIST).symlink_to(pages)
    return target
