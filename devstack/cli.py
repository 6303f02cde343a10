"""The commands: `python -m devstack --help`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from devstack import tasks
from devstack.errors import DevstackError
from devstack.images.check import check_images
from devstack.install.chromium import ensure_chromium
from devstack.install.deploy_checks import path_for_tests
from devstack.install.pages import PAGES_SETTING, ensure_pages
from devstack.install.prometheus import prometheus_for_tests
from devstack.install.tools import CHROMIUM, LIVEKIT, REDIS
from devstack.install.web import ensure_web
from devstack.locks import check_locks, write_locks
from devstack.release.advisories import audit
from devstack.services.detachment import run_detached
from devstack.services.inspection import show_status, stop_stack
from devstack.services.observation import observe_stack
from devstack.services.runner import ensure_tools, run_stack
from devstack.services.web_dev import serve_sources
from devstack.settings import load_environment, process_environment, run_dir
from devstack.terminal import Terminal

TESTING = {
    "unit": "tests without input or output, and those of web/",
    "integration": "tests with real servers",
}
TESTING |= {"e2e": "tests that speak with the whole stack", "test": "all checks and tests"}
TESTING |= {"chaos": "the stories of a fleet to which the worst happens"}

MEASURING = {
    "bench-full": "run all benchmarks at length",
    "deploy-drill": "replace everything of ours under load: does anybody notice?",
}
RELEASING = {
    "release-check": "build what is released, install it elsewhere, and speak with it",
    "sbom": "write what is in each image and in the pages (CycloneDX)",
    "licences": "write docs/licences.md anew",
}
#: Commands that become another program; it reads their arguments.
HANDED_OVER = frozenset({"ask", "bench", *MEASURING, *RELEASING})


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up as after Ctrl-C
    arguments, rest = build_parser().parse_known_args(argv)
    env = load_environment()
    terminal = Terminal(env)
    if rest and arguments.command not in {*TESTING, *HANDED_OVER}:
        build_parser().error(f"unknown arguments: {' '.join(rest)}")
    command = COMMANDS[arguments.command]
    return guarded(lambda: command(arguments, rest, env, terminal), terminal)


def guarded(work: Callable[[], int], terminal: Terminal) -> int:
    """Do the work; tell an error of ours in words, not as a traceback."""
    try:
        return work()
    except DevstackError as error:
        terminal.error(str(error), error.log_tail)
        return 1
    except KeyboardInterrupt:
        terminal.line()
        return 130


def build_parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    parser = argparse.ArgumentParser(
        prog="python -m devstack", description="Run Voicefleet on this machine, and check it."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the whole stack until Ctrl-C")
    run.add_argument("--detach", action="store_true", help="return once it is ready")
    commands.add_parser("stop", help="stop the stack and wait until it is gone")
    commands.add_parser("status", help="show the services and their health")
    commands.add_parser("observe", help="run Prometheus on the running stack until Ctrl-C")
    commands.add_parser("ask", help="ask the agent something", add_help=False)
    commands.add_parser("web-dev", help="serve web/ as it is being edited, on the running stack")
    commands.add_parser("setup", help="install what development needs, servers included")
    commands.add_parser("lint", help="check form, imports, spelling, Dockerfiles and web/")
    commands.add_parser("types", help="check types")
    for name, text in TESTING.items():
        commands.add_parser(name, help=f"run {text}; arguments go to pytest", add_help=False)
    commands.add_parser(
        "bench",
        help="measure a little; `bench store`, `starts`: store and API at length; "
        "`bench assignment`, `burst`, `capacity`, `degradation`, `race`, `recovery`, `soak`, "
        "`warm`, `worker_memory`: workers; `bench pool`: the pool; `bench pages`: the call page",
        add_help=False,
    )
    for name, text in MEASURING.items():
        commands.add_parser(name, help=text, add_help=False)
    lock = commands.add_parser("lock", help="write requirements/*.lock anew")
    lock.add_argument("--check", action="store_true", help="only compare")
    lock.add_argument("--upgrade", action="store_true", help="take the latest versions")
    commands.add_parser("audit", help="look for known vulnerabilities in the locks")
    for name, text in RELEASING.items():
        commands.add_parser(name, help=text, add_help=False)
    images = commands.add_parser(
        "images-check", help="do what the Dockerfiles say, without a container engine; as root"
    )
    images.add_argument(
        "images", nargs="*", help="tokens, worker, localvoice; all if none is named"
    )
    return parser


Arguments = argparse.Namespace
Environment = Mapping[str, str]
Command = Callable[[Arguments, Sequence[str], Environment, Terminal], int]


def _run(arguments: Arguments, _: Sequence[str], env: Environment, terminal: Terminal) -> int:
    if not arguments.detach:
        return run_stack(env, terminal)

    def work(announce: Callable[[], None]) -> int:
        return guarded(lambda: run_stack(env, terminal, when_ready=announce), terminal)

    return run_detached(work, run_dir(env) / "logs" / "stack.log")


def _stop(_: Arguments, __: Sequence[str], env: Environment, terminal: Terminal) -> int:
    return stop_stack(run_dir(env), terminal)


def _status(_: Arguments, __: Sequence[str], env: Environment, terminal: Terminal) -> int:
    return show_status(run_dir(env), terminal)


def _observe(_: Arguments, __: Sequence[str], env: Environment, terminal: Terminal) -> int:
    return observe_stack(env, terminal)


def _ask(_: Arguments, rest: Sequence[str], env: Environment, __: Terminal) -> int:
    """Hand over to `devstack.talk.ask`. The question comes in variables, which no shell touches."""
    question, recording = env.get("VOICEFLEET_ASK_Q"), env.get("VOICEFLEET_ASK_WAV")
    words = [*rest, *(["--wav", recording] if recording else [])]
    words += ["--", question] if question else []
    os.execv(sys.executable, [sys.executable, "-m", "devstack.talk.ask", *words])  # noqa: S606


def _web_dev(_: Arguments, __: Sequence[str], env: Environment, terminal: Terminal) -> int:
    serve_sources(env, terminal)


def _setup(_: Arguments, __: Sequence[str], env: Environment, terminal: Terminal) -> int:
    tools = ensure_tools(env, terminal)
    terminal.step("redis", "ready", note=str(tools.redis))
    terminal.step("livekit", "ready", note=str(tools.livekit))
    terminal.step("web", "ready", note=str(ensure_web(env, terminal).program))
    terminal.step("pages", "ready", note=str(ensure_pages(env, terminal)))
    if chromium := ensure_chromium(env, terminal):
        terminal.step("chromium", "ready", note=str(chromium))
    for program in prometheus_for_tests(env, terminal).values():
        terminal.step(Path(program).name, "ready", note=program)
    path_for_tests(env, terminal)
    return 0


def _lint(_: Arguments, __: Sequence[str], env: Environment, terminal: Terminal) -> int:
    return tasks.run_stages(tasks.lint_stages(env), process_environment(), terminal)


def _types(_: Arguments, __: Sequence[str], env: Environment, terminal: Terminal) -> int:
    return tasks.run_stages(tasks.type_stages(env), process_environment(), terminal)


def _tests(arguments: Arguments, rest: Sequence[str], env: Environment, terminal: Terminal) -> int:
    """Run tests. What `.env` says about services is not for them, what it says about tools is."""
    if arguments.command == "unit":
        return tasks.run_stages(tasks.unit_stages(env, rest), process_environment(), terminal)
    tools = ensure_tools(env, terminal)
    found = {REDIS.setting: str(tools.redis), LIVEKIT.setting: str(tools.livekit)}
    ensure_web(env, terminal)
    found[PAGES_SETTING] = str(ensure_pages(env, terminal))
    if chromium := ensure_chromium(env, terminal):
        found[CHROMIUM.setting] = str(chromium)
    found |= prometheus_for_tests(env, terminal)
    found["PATH"] = path_for_tests(env, terminal)
    is_all = arguments.command == "test"
    stages = tasks.all_stages(env, rest) if is_all else tasks.tier_stages(arguments.command, rest)
    return tasks.run_stages(stages, process_environment() | found, terminal)


def _bench(arguments: Arguments, rest: Sequence[str], _: Environment, __: Terminal) -> int:
    """Hand over to the benchmark, so that signals reach it and no server is left."""
    is_full = arguments.command == "bench-full"
    command = tasks.bench_command(["--full", *rest] if is_full else rest)
    os.execv(command[0], command)  # noqa: S606


def _deploy_drill(_: Arguments, rest: Sequence[str], __: Environment, ___: Terminal) -> int:
    """Hand over to the drill, so that signals reach it and no server is left."""
    command = [sys.executable, "-m", "bench.deploy_drill", *rest]
    os.execv(command[0], command)  # noqa: S606


def _lock(arguments: Arguments, _: Sequence[str], env: Environment, terminal: Terminal) -> int:
    if arguments.check:
        return check_locks(env, terminal)
    return write_locks(env, terminal, is_upgrade=arguments.upgrade)


def _audit(_: Arguments, __: Sequence[str], env: Environment, terminal: Terminal) -> int:
    return audit(tasks.audit_stages(env), process_environment(), terminal)


def _release(arguments: Arguments, rest: Sequence[str], _: Environment, __: Terminal) -> int:
    """Hand over to `devstack.release`, whose packages only developers have."""
    command = [sys.executable, "-m", "devstack.release", arguments.command, *rest]
    os.execv(command[0], command)  # noqa: S606


def _images(arguments: Arguments, _: Sequence[str], env: Environment, terminal: Terminal) -> int:
    return check_images(env, terminal, arguments.images)


COMMANDS: Mapping[str, Command] = {
    "run": _run,
    "stop": _stop,
    "status": _status,
    "observe": _observe,
    "ask": _ask,
    "web-dev": _web_dev,
    "setup": _setup,
    "lint": _lint,
    "types": _types,
    **dict.fromkeys(TESTING, _tests),
    "bench": _bench,
    "bench-full": _bench,
    "deploy-drill": _deploy_drill,
    "lock": _lock,
    "audit": _audit,
    **dict.fromkeys(RELEASING, _release),
    "images-check": _images,
}
