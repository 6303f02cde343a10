"""What reaches the program behind `make ask`, whatever is typed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from devstack.cli import COMMANDS
from devstack.settings import REPO, process_environment

MAKE = [shutil.which("make") or "make", "--no-print-directory"]
ECHO = """#!/usr/bin/env python3
import json, os
names = ("VOICEFLEET_ASK_Q", "VOICEFLEET_ASK_WAV")
print(json.dumps([os.environ.get(name, "") for name in names]))
"""


@pytest.mark.parametrize(
    "question",
    [
        "What time is it?",
        "It's \"five\" o'clock, isn't it?",
        "What do $5 and $HOME and $(HOME) and $$ mean?",
        "an open $( parenthesis",
        "`date`; exit 1 # & | \\ *",
        "",
    ],
)
def test_the_question_arrives_as_it_was_typed(tmp_path: Path, question: str) -> None:
    echo = tmp_path / "echo"
    echo.write_text(ECHO)
    echo.chmod(0o755)

    answer = subprocess.run(
        [*MAKE, "-s", "ask", f"PYTHON={echo}", f"Q={question}", "WAV=a b.wav"],
        cwd=REPO,
        env=process_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert json.loads(answer.stdout) == [question, "a b.wav"], answer.stderr


def test_help_lists_every_target() -> None:
    answer = subprocess.run(MAKE, cwd=REPO, capture_output=True, text=True, check=True)

    listed = [line.split()[:2] for line in answer.stdout.splitlines()]
    assert sorted(listed) == sorted(["make", name] for name in ("help", *COMMANDS))
