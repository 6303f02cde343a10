"""The scripts keep their promises: a header each, and every error code has a meaning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sessions
from sessions.errors import BY_REPLY, NotAdmitted, SessionError, StoreUnavailable
from sessions.ids import UserId, WorkerId, new_session_id
from sessions.keys import SHARED, Keys
from sessions.scripts import source, verbs
from sessions.settings import StoreSettings
from sessions.states import OVER, TERMINAL, State

FOLDER = Path(sessions.__file__).parent / "lua"
SCRIPTS = sorted(FOLDER.rglob("*.lua"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_short_and_opens_with_its_contract(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 60
    assert lines[0].startswith(f"-- {path.stem}")
    if path.parent == FOLDER:
        header = "\n".join(line for line in lines[:12] if line.startswith("--"))
        assert all(word in header for word in ("KEYS", "ARGV", "Returns", "Errors:"))


def test_the_files_are_the_verbs() -> None:
    assert {path.stem for path in FOLDER.glob("*.lua")} == set(verbs())
    text = source(StoreSettings())
    assert all(f"verbs.{verb} = function()" in text for verb in verbs())


def test_every_limit_is_written_into_the_script() -> None:
    """A name that is no setting raises; a limit that no script reads is not carried along."""
    settings = StoreSettings()
    text = source(settings)
    assert "limits." not in text
    read = set(re.findall(r"limits\.(\w+)", "\n".join(path.read_text() for path in SCRIPTS)))
    assert read == {*settings.limits(), "shared"}


def test_every_error_code_is_an_exception_and_the_other_way_round() -> None:
    text = "\n".join(path.read_text() for path in SCRIPTS)
    codes = set(re.findall(r'error_reply\("([A-Z]+)', text)) - {"ERR"}
    assert codes == set(BY_REPLY)
    # Others may derive from them; these are the store's own.
    kinds = {kind for kind in _kinds(SessionError) if kind.__module__ == SessionError.__module__}
    raised = {kind for kind in kinds if not kinds & set(kind.__subclasses__())}
    not_from_scripts = {
        kind for kind in raised if kind.code in {"store_unavailable", "invalid_input"}
    }
    assert {*BY_REPLY.values(), *not_from_scripts} == raised
    assert StoreUnavailable in not_from_scripts
    assert issubclass(BY_REPLY["CAPACITY"], NotAdmitted)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_header_names_the_errors_its_verb_gives(path: Path) -> None:
    """The codes in a verb's own text are in its header; those of what it shares are, too."""
    if path.parent != FOLDER:
        return
    text = path.read_text()
    header = "\n".join(line for line in text.splitlines() if line.startswith("--"))
    own = set(re.findall(r'error_reply\("([A-Z]+)', text))
    shared = {"live(": {"NOSESSION", "OVER"}, "holding(": {"WAITING"}, "live(true": {"UNCLAIMED"}}
    wanted = own | {code for call, codes in shared.items() if call in text for code in codes}
    # finish looks whether a session is over before it asks.
    wanted -= {"OVER"} if path.stem == "finish" else set()
    assert all(code in header for code in wanted), wanted


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_no_script_searches_or_trusts_the_clients_clock(path: Path) -> None:
    assert not re.search(r'redis\.call\("(KEYS|SCAN|SMEMBERS)"', path.read_text())


def test_the_scripts_and_keys_py_name_the_same_keys() -> None:
    """Both build names; a key that only one of them knows would be nobody's."""
    text = "\n".join(path.read_text() for path in SCRIPTS)
    in_lua = set(re.findall(r'key\("([\w:]+)"', text)) | {"store"}
    in_lua |= {name for name in SHARED if not name.startswith("session:")}
    in_lua |= {"slots", "dispatches", "suspects", "tickets", "ghosts"}
    keys, session, user = Keys(), new_session_id(), UserId("ada")
    every = [
        keys.store,
        keys.session(session),
        keys.gone(session),
        keys.slots,
        keys.suspects,
        keys.tickets,
        keys.dispatches,
        keys.ghosts,
        keys.claims,
        keys.startups,
        keys.minutes,
        keys.hours,
        keys.counts,
        keys.events,
        keys.notices,
        keys.logs(session),
        keys.record(session),
        keys.conversation(session),
        keys.user(user),
        keys.memory(user),
        keys.rate(user),
        keys.caller_rate("0" * 32),
        keys.all_rate,
        keys.idempotency("0" * 32),
        keys.worker(WorkerId("w1")),
        keys.workers,
        keys.takers,
        keys.pool_target,
        keys.pool_tuning,
        keys.arrivals,
        keys.pool_stats,
    ]
    in_python = {re.sub(r":([0-9a-f]{32,40}|w1)\b.*", ":", name[5:]) for name in every}
    assert in_lua == in_python


def test_the_redis_user_of_the_docs_may_do_what_the_scripts_do() -> None:
    page = (FOLDER.parents[1] / "docs" / "redis.md").read_text(encoding="utf-8")
    allowed = set(re.findall(r"\+([a-z]+)", page.split("<!-- acl -->")[1].split("```")[1]))
    called = re.findall(r'redis\.call\("([A-Z]+)"', "\n".join(path.read_text() for path in SCRIPTS))
    assert {command.lower() for command in called} <= allowed


def test_the_states_of_the_scripts_are_those_of_the_table() -> None:
    text = (FOLDER / "include" / "session.lua").read_text()
    holding = set(re.findall(r"(\w+) = true", text.split("HOLDING = {")[1].split("}")[0]))
    terminal = set(re.findall(r"(\w+) = true", text.split("TERMINAL = {")[1].split("}")[0]))
    assert terminal == set(TERMINAL)
    assert holding == set(State) - OVER - {State.QUEUED}
    assert {name for name in SHARED if name.startswith("session:")} == {
        f"session:{state}" for state in State
    }


def _kinds(kind: type[SessionError]) -> set[type[SessionError]]:
    return {kind}.union(*(_kinds(below) for below in kind.__subclasses__()))
