from __future__ import annotations

import pytest

from sessions.ids import (
    new_identity,
    new_session_id,
    parse_session_id,
    parse_user_id,
    room_name,
    session_of_room,
)


def test_ids_are_unguessable_and_parse() -> None:
    ids = {new_session_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(parse_session_id(session_id) == session_id for session_id in ids)


@pytest.mark.parametrize(
    "text", ["", "*", "a}:slots", "A" * 32, "0" * 31, "0" * 33, "0" * 32 + "\n"]
)
def test_what_is_not_a_session_id_builds_no_key(text: str) -> None:
    assert parse_session_id(text) is None


@pytest.mark.parametrize("text", ["", " ", "a b", "a}:x", "ä", "x" * 129, "a\n", "*"])
def test_what_is_not_a_user_id(text: str) -> None:
    assert parse_user_id(text) is None


def test_user_ids_may_be_mail_addresses() -> None:
    assert parse_user_id("ada+test@example.com") == "ada+test@example.com"


def test_a_room_leads_back_to_its_session() -> None:
    session_id = new_session_id()
    assert session_of_room(room_name(session_id)) == session_id


@pytest.mark.parametrize("room", ["", "vf-", "vf-*", "lobby", "0" * 32])
def test_rooms_of_others_lead_to_no_session(room: str) -> None:
    assert session_of_room(room) is None


def test_identities_cannot_pass_for_an_agent() -> None:
    assert new_identity().startswith("user-")
