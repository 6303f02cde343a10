"""The Makefile names things; it does nothing itself."""

from __future__ import annotations

import re

from devstack.cli import COMMANDS
from devstack.settings import REPO

TEXT = (REPO / "Makefile").read_text(encoding="utf-8")
TARGETS = dict(re.findall(r"^([a-z0-9-]+): ## .*\n\t(.*)$", TEXT, re.MULTILINE))


def test_every_target_is_one_line_that_runs_its_task() -> None:
    for name, recipe in TARGETS.items():
        assert name == "help" or recipe == f"$(TASK) {name} $(ARGS)"
    assert len(re.findall(r"^\t", TEXT, re.MULTILINE)) == len(TARGETS)


def test_every_task_is_a_target_and_phony() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", TEXT, re.MULTILINE)
    assert phony.split() == list(TARGETS)
    assert TARGETS.keys() - {"help"} == COMMANDS.keys()
    assert len(COMMANDS) <= 23
