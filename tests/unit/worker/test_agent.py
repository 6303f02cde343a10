"""What passes between the user and the models: whole characters, and not too much."""

from __future__ import annotations

import pytest
from livekit.agents import ChatContext
from livekit.agents.llm import ChatMessage, FunctionCall, FunctionCallOutput

from worker.voice.agent import MAX_CONTEXT_CHARS, shorten, whole


@pytest.mark.parametrize(
    "pieces",
    [
        ["Good \ud83d", "\ude00 morning"],
        ["Good ", "\ud83d", "\ude00", " morning"],
        ["Good \U0001f600 morning"],
    ],
)
def test_a_character_that_comes_in_halves_is_whole(pieces: list[str]) -> None:
    said, half = "", ""
    for piece in pieces:
        text, half = whole(half + piece)
        said += text
    assert (said, half) == ("Good \U0001f600 morning", "")


def test_a_half_whose_other_half_does_not_come_is_no_character() -> None:
    for half_of_one in ("\ud83d", "\ude00"):
        said, half = "", ""
        for piece in (f"Good {half_of_one}", " morning"):
            text, half = whole(half + piece)
            said += text
        assert said + half == "Good \ufffd morning"


def spoken(count: int, chars: int) -> ChatContext:
    context = ChatContext.empty()
    context.add_message(role="system", content="Be kind.")
    for number in range(count):
        context.add_message(
            role="user" if number % 2 == 0 else "assistant",
            content=f"{number} ".ljust(chars, "x"),
        )
    return context


def texts(context: ChatContext) -> list[str]:
    return [one.text_content or "" for one in context.items if isinstance(one, ChatMessage)]


def test_a_conversation_of_usual_length_stays_whole() -> None:
    context = spoken(100, 100)
    before = texts(context)
    shorten(context)
    assert texts(context) == before


def test_of_a_long_conversation_the_end_and_the_instructions_stay() -> None:
    context = spoken(100, 4_000)
    shorten(context)
    left = texts(context)
    assert left[0] == "Be kind."
    assert left[-1].startswith("99 ")
    assert MAX_CONTEXT_CHARS - 4_000 <= sum(map(len, left)) <= MAX_CONTEXT_CHARS + 100


def test_what_a_tool_has_said_counts_and_is_not_left_without_its_question() -> None:
    context = spoken(10, 10)
    for number in range(50):
        name = f"call_{number}"
        context.items.append(FunctionCall(call_id=name, name="look", arguments="x" * 2_000))
        output = FunctionCallOutput(call_id=name, name="look", output="y" * 2_000, is_error=False)
        context.items.append(output)
    context.add_message(role="user", content="And now?")
    shorten(context)
    assert [one.type for one in context.items] == ["message", "message"]
    assert texts(context)[-1] == "And now?"


def test_a_question_stays_with_all_that_tools_have_said_to_it() -> None:
    """However much that is."""
    context = spoken(10, 10)
    context.add_message(role="user", content="Where is it?")
    for number in range(50):
        name = f"call_{number}"
        context.items.append(FunctionCall(call_id=name, name="look", arguments="{}"))
        output = FunctionCallOutput(call_id=name, name="look", output="y" * 4_000, is_error=False)
        context.items.append(output)
    shorten(context)
    assert texts(context) == ["Be kind.", "Where is it?"]
    assert sum(one.type == "function_call_output" for one in context.items) == 50


def test_what_was_said_last_stays_however_long_it_is() -> None:
    context = spoken(3, 2 * MAX_CONTEXT_CHARS)
    shorten(context)
    assert len(texts(context)) == 2
