"""Does the machine notice when the store is wrong? Run by `python -m tests.mutations`.

Each mutation takes something out of a copy of the Lua scripts that must not be missing, and runs
tests/integration/sessions/test_machine.py against the copy. A row of the table for each: red, as
it should be, or green, which means that nobody would notice. The exit code is 0 if all are red and
the copy without a mutation is green.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devstack.install.tools import REDIS, find_tool
from devstack.settings import REPO, load_environment, process_environment

MACHINE = "tests/integration/sessions/test_machine.py"
#: All that the machine imports, and what says how it is run.
NEEDED = ("devstack", "sessions", "tests", "pyproject.toml")
GREEN, RED = 0, 1
RUN_WITHIN_S = 300.0
STOP_WITHIN_S = 30.0


@dataclass(frozen=True)
class Mutation:
    """A piece of a script, and what stands there instead."""

    name: str
    file: str
    text: str
    instead: str = ""

    def apply(self, root: Path) -> None:
        """Change the script below `root`. Raises LookupError unless the piece is there once."""
        path = root / "sessions" / "lua" / self.file
        script = path.read_text(encoding="utf-8")
        if script.count(self.text) != 1:
            raise LookupError(f"{self.name}: {self.file} has {self.text!r} not exactly once")
        path.write_text(script.replace(self.text, self.instead), encoding="utf-8")


REQUIRED = (
    Mutation(
        "no epoch test",
        "include/lease.lua",
        "  if ask.epoch and ask.epoch ~= s.epoch then\n"
        '    return nil, redis.error_reply("FENCED " .. s.epoch)\n'
        "  end\n",
    ),
    Mutation(
        "no lease renewal", "renew.lua", "failure = keep_slot_until(s, now + limits.agentLeaseMs)\n"
    ),
    Mutation(
        "a freed slot admits nobody",
        "finish.lua",
        "return about(s, true, { admitted = (admit_waiting()) })",
        "return about(s, true)",
    ),
)
FURTHER = (
    Mutation(
        "two jobs claim one epoch",
        "claim.lua",
        'if s.job and s.job ~= ask.jobId then return redis.error_reply("CLAIMED " .. s.job) end\n',
    ),
    Mutation(
        "lapsed tickets are admitted",
        "include/queue.lua",
        'if lapse <= as_of or s.status ~= "queued" then',
        'if s.status ~= "queued" then',
    ),
    Mutation(
        "last in line first",
        "include/queue.lua",
        'redis.call("ZRANGE", index("queued"), 0, 0)',
        'redis.call("ZRANGE", index("queued"), -1, -1)',
    ),
    Mutation(
        "lost without suspicion",
        "lose.lua",
        "return lapse <= as_of and since <= as_of - limits.suspicionMs",
        "return lapse <= as_of",
    ),
    Mutation("no next epoch", "lose.lua", "s.epoch = s.epoch + 1\n"),
    Mutation("no cap on losses", "lose.lua", "#recent >= limits.redispatchLimit", "false"),
    Mutation("no backoff", "lose.lua", "if #recent > 1 then pause", "if false then pause"),
    Mutation("who makes way has failed", "lose.lua", "if not ask.isPlanned then", "if true then"),
    Mutation(
        "no mercy after an outage",
        "include/store.lua",
        "if is_merciful then as_of = math.min(now, tonumber(meta[3])) end\n",
    ),
    Mutation(
        "a renewed agent stays suspected",
        "include/lease.lua",
        '  redis.call("ZREM", key("suspects"), s.id)\n',
    ),
    Mutation(
        "who replaces takes a healed slot",
        "admit.lua",
        "other and holds_slot(other) or waiting == 0",
        "other and HOLDING[other.status] or waiting == 0",
    ),
    Mutation(
        "a slot given away is taken back",
        "include/slots.lua",
        "return not holds_slot(s) and free_slots() <= 0 end",
        "return false end",
    ),
    Mutation("an end frees no slot", "include/release.lua", '{ "slots", ', "{ "),
    Mutation(
        "what is over changes",
        "closed.lua",
        "if TERMINAL[s.status] then return about(s, false) end\n",
    ),
    Mutation("admissions are not counted", "include/slots.lua", 'count("admitted")\n'),
    Mutation("ends are not counted", "include/release.lua", "count(outcome)\n"),
    Mutation(
        "nothing is counted for ever",
        "include/minutes.lua",
        'redis.call("HINCRBY", key("counts"), what, 1)\n',
    ),
    Mutation(
        "losses are not counted",
        "lose.lua",
        'redis.call("HINCRBY", key("counts"), "lost:" .. ask.cause, 1)\n',
    ),
    Mutation("first agents are not counted", "ready.lua", "count_start(now - s.admitted)\n"),
    Mutation(
        "a replacement counts as a start",
        "ready.lua",
        "move(s, s.joined",
        "count_start(now - s.admitted)\nmove(s, s.joined",
    ),
    Mutation(
        "a minute is never over",
        "include/minutes.lua",
        "math.floor(now / 60000)",
        "0",
    ),
    Mutation(
        "an hour is never over",
        "include/minutes.lua",
        "math.floor(now / 3600000)",
        "0",
    ),
    Mutation("failures use up no budget", "include/minutes.lua", ", failed = 2 }", " }"),
)


@contextmanager
def copied(mutation: Mutation | None) -> Iterator[Path]:
    """Copy what the machine needs to a folder of its own, and mutate it there."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        root = Path(folder)
        for name in NEEDED:
            source, target = REPO / name, root / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        if mutation is not None:
            mutation.apply(root)
        yield root


def environment(profile: str) -> dict[str, str]:
    """Return the environment of a run: ours, and where the server is that .env may name."""
    env = process_environment() | {"STORE_MACHINE": profile, "PYTHONDONTWRITEBYTECODE": "1"}
    if found := find_tool(REDIS, load_environment()):
        env[REDIS.setting] = str(found)
    # A skipped test would look green.
    return env | {"CI": "1"}


def is_red(mutation: Mutation | None, profile: str = "quick") -> bool:
    """Run the machine against a copy; say whether it failed. Raises RuntimeError otherwise."""
    with copied(mutation) as root:
        env = environment(profile)
        imported = _run(
            [sys.executable, "-c", "import sessions; print(sessions.__file__)"], root, env
        )
        if not Path(imported.output.strip()).is_relative_to(root.resolve()):
            raise RuntimeError(f"not the copy is tested, but {imported.output}")
        plugins = ["-p", "no:randomly", "-p", "no:cacheprovider"]
        done = _run([sys.executable, "-m", "pytest", "-q", *plugins, MACHINE], root, env)
        if done.code not in {GREEN, RED} or (
            done.code == RED and "AssertionError" not in done.output
        ):
            raise RuntimeError(f"the machine did not run:\n{done.output}")
        return done.code == RED


@dataclass(frozen=True)
class _Done:
    code: int
    output: str


def _run(command: Sequence[str], root: Path, env: Mapping[str, str]) -> _Done:
    """Run a program in a copy; one that takes too long is interrupted, so that it cleans up."""
    process = subprocess.Popen(
        command,
        cwd=root,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        output, _ = process.communicate(timeout=RUN_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=STOP_WITHIN_S)
        raise RuntimeError(f"{command} took more than {RUN_WITHIN_S:.0f} s:\n{output}") from None
    return _Done(process.returncode, output)


def main() -> int:
    """Try every mutation and print what came of it; return the exit code."""
    as_expected = True
    for mutation in (None, *REQUIRED, *FURTHER):
        since = time.monotonic()
        red = is_red(mutation)
        as_expected &= red is (mutation is not None)
        name, color = mutation.name if mutation else "(none)", "red" if red else "green"
        line = f"{name:<34} {color:<6} {time.monotonic() - since:5.1f} s\n"
        sys.stdout.write(line)
        sys.stdout.flush()
    return 0 if as_expected else 1


if __name__ == "__main__":
    sys.exit(main())
