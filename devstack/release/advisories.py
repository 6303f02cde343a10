"""`make audit`: known vulnerabilities in the locks. Nobody to ask is no pass."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from devstack.tasks import AT_ONCE, Stage
from devstack.terminal import Terminal

Outcome = Literal["ok", "vulnerable", "unasked"]
FOUND = re.compile(r"^Found \d+ known vulnerab|^# npm audit report|^\d+ .*vulnerab", re.MULTILINE)
"""What pip-audit and npm say when they know of something; anything else is no answer."""
WITHIN_S = 300.0
MAX_SHOWN_LINES = 12


def audit(stages: Sequence[Stage], env: Mapping[str, str], terminal: Terminal) -> int:
    """Ask about each lock; return 0 when all were asked about and nothing is known."""
    outcomes: dict[str, Outcome] = {}
    for stage, outcome, output in _ask_all(stages, env):
        outcomes[stage.name] = outcome
        terminal.step(stage.name, "ok" if outcome == "ok" else "failed", note=outcome)
        if outcome == "vulnerable":
            terminal.line(output)
        elif outcome == "unasked":
            terminal.line("\n".join(output.splitlines()[-MAX_SHOWN_LINES:]))
    by = {kind: [name for name, found in outcomes.items() if found == kind] for kind in FAILURES}
    for kind, names in by.items():
        if names:
            terminal.error(FAILURES[kind].format(names=", ".join(names)))
    return 0 if all(outcome == "ok" for outcome in outcomes.values()) else 1


FAILURES: Mapping[Outcome, str] = {
    "vulnerable": "known vulnerabilities in {names}: above. Take versions without them "
    "(pyproject.toml or web/package.json), then `make lock ARGS=--upgrade`.",
    "unasked": "nobody could be asked about {names}: the service that knows of vulnerabilities "
    "(pypi.org, or npm's registry) cannot be reached from here, or the mirror in its place does "
    "not answer for it. Nothing is known of these locks, good or bad: ask again from a machine "
    "that reaches it.",
}


def outcome_of(code: int, output: str) -> Outcome:
    """Tell a finding from a question that nobody answered; both end with a status other than 0."""
    if code == 0:
        return "ok"
    return "vulnerable" if FOUND.search(output) else "unasked"


def _ask_all(
    stages: Sequence[Stage], env: Mapping[str, str]
) -> Iterator[tuple[Stage, Outcome, str]]:
    def ask(stage: Stage) -> tuple[Stage, Outcome, str]:
        return stage, *_ask(stage, env)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(ask, stages)


def _ask(stage: Stage, env: Mapping[str, str]) -> tuple[Outcome, str]:
    try:
        done = subprocess.run(
            stage.argv,
            cwd=stage.cwd,
            env=dict(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=WITHIN_S,
        )
    except subprocess.TimeoutExpired:
        return "unasked", f"no answer within {WITHIN_S:.0f} s"
    except OSError as error:
        return "unasked", f"{error}: run `make setup`."
    return outcome_of(done.returncode, done.stdout), done.stdout.strip()
