"""How the model is told what was said before."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from livekit.agents.llm import ChatContext, ChatMessage

from sessions.conversations import Role, Turn
from sessions.ids import new_session_id
from sessions.model import Session
from sessions.states import State
from worker.call.recall import Past, last_words, was_heard, with_past


def turn(role: Role, text: str, at_ms: int = 1_000) -> Turn:
    return Turn(role=role, text=text, at_ms=at_ms)


def told(context: ChatContext) -> list[tuple[str, str]]:
    return [
        (item.role, item.text_content or "")
        for item in context.items
        if isinstance(item, ChatMessage)
    ]


def context() -> ChatContext:
    now = ChatContext.empty()
    now.add_message(role="system", content="Be nice.")
    now.add_message(role="user", content="Are you there?")
    return now


def test_it_stands_behind_the_instructions_and_before_what_was_said_since() -> None:
    past = Past(turns=[turn("user", "I am Ada."), turn("assistant", "Hi.")], was_heard=True)
    assert told(with_past(context(), past)) == [
        ("system", "Be nice."),
        ("user", "I am Ada."),
        ("assistant", "Hi."),
        ("user", "Are you there?"),
    ]
    assert len(context().items) == 2


def test_what_was_said_in_other_sessions_is_marked_and_comes_first() -> None:
    past = Past(turns=[turn("user", "today")], memory=[turn("user", "then")], was_heard=True)
    roles = [role for role, _ in told(with_past(context(), past))]
    texts = [text for _, text in told(with_past(context(), past))]
    assert roles == ["system", "system", "user", "system", "user", "user"]
    assert "earlier conversations" in texts[1]
    assert texts[2] == "then"
    assert "earlier conversations" in texts[3]
    assert texts[4:] == ["today", "Are you there?"]


def test_what_comes_next_is_added_behind_it_whatever_the_clocks_say() -> None:
    ahead_ms = round(time.time() * 1000) + 3_600_000
    told_so = with_past(context(), Past(turns=[turn("user", "x", ahead_ms)], was_heard=True))
    told_so.insert(ChatMessage(role="assistant", content=["new"]))
    assert told(told_so)[-1] == ("assistant", "new")


def test_the_last_words_count() -> None:
    turns = [turn("user", "a" * 10), turn("assistant", "b" * 10), turn("user", "c" * 10)]
    assert last_words(turns, 25) == turns[1:]
    assert last_words(turns, 5) == []
    much = [turn("user", "x" * 4_000) for _ in range(200)]
    past = Past(turns=much, memory=much, was_heard=True)
    assert sum(len(text) for _, text in told(with_past(ChatContext.empty(), past))) <= 24_000


SESSION = Session(
    id=new_session_id(),
    status=State.RECOVERING,
    user_id=None,
    identity="user-1",
    epoch=2,
    revision=4,
    secret_hash="",
    created_at_ms=0,
)


@pytest.mark.parametrize(
    ("changes", "turns", "expected"),
    [
        ({}, [], False),
        ({}, [turn("user", "hello?")], False),
        ({}, [turn("assistant", "Hello!")], True),
        ({"ready_at_ms": 5}, [], False),
        ({"ready_at_ms": 5, "joined_at_ms": 7}, [], True),
        ({"ready_at_ms": 5, "joined_at_ms": 7, "claimed_at_ms": 9}, [], True),
        # It was this very agent that became ready.
        ({"ready_at_ms": 11, "joined_at_ms": 7, "claimed_at_ms": 9}, [], False),
    ],
)
def test_whether_the_user_has_heard_an_agent(
    changes: dict[str, int], turns: list[Turn], *, expected: bool
) -> None:
    assert was_heard(replace(SESSION, **changes), turns) is expected  # type: ignore[arg-type]
