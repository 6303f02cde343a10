"""Turns that nobody spoke, tool results, and insistent requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localvoice.brain.conversation import MAX_HEARD_CHARS, Message, Turn
from localvoice.brain.reply import Call, Say
from localvoice.brain.script import STILL_HERE, Choice, answer
from localvoice.brain.skills.farewell import BYE
from localvoice.brain.skills.greeting import GREETING
from localvoice.brain.tools import Tool

AUTO = Choice()
TOOL = Tool("get_time", "", {})


def told(text: str, name: str = "lookup") -> str:
    """What is said about a tool's result."""
    reply = answer(Turn("x"), [Message("assistant", ""), Message("tool", text, name)], AUTO)
    assert isinstance(reply, Say)
    return reply.text


def test_instructions_alone_are_greeted() -> None:
    reply = answer(Turn("", [Message("instructions", "You are a helpful agent.")]), [], AUTO)

    assert reply == Say(GREETING)


@pytest.mark.parametrize(
    ("instruction", "said"),
    [
        ("say goodbye to the user", BYE),
        ("Greet the user again.", GREETING),
        ('Tell the user: "We will be right back."', "We will be right back."),
        ("Say \u201chold on\u201d", "hold on"),
        ("Keep the user company.", STILL_HERE),
    ],
)
def test_an_instruction_after_the_last_turn_is_followed(instruction: str, said: str) -> None:
    latest = [Message("assistant", "Hello."), Message("instructions", instruction)]

    assert answer(Turn("Hi"), latest, AUTO) == Say(said)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ("It is sunny.", "It is sunny."),
        ("sunny", "The answer is sunny."),
        ('{"temperature": 21, "raining": false}', "temperature is 21, raining is no."),
        ('["a", "b"]', "The answer is a, b."),
        ("2026-01-05T15:04:00Z", "It is 3:04 PM on Monday, January 5, 2026."),
        ("2026-99-99T15:04:00Z and so on", "2026-99-99T15:04:00Z and so on."),
        ("", "Done."),
        ("null", "Done."),
        ("error: no such city", "Sorry, that did not work just now."),
        ("An internal error occurred", "Sorry, that did not work just now."),
        ("[" * 5000, "The answer is " + "[" * 600 + "."),
    ],
)
def test_results_in_words(result: str, said: str) -> None:
    assert told(result)[:700] == said


def test_a_bare_time_reads_as_a_sentence() -> None:
    assert told("3:45 PM", "get_time") == "It is 3:45 PM."


def test_after_the_call_is_ended_there_is_a_goodbye() -> None:
    assert told("say goodbye to the user", "end_call") == BYE


def test_results_that_were_answered_are_not_answered_again() -> None:
    latest = [
        Message("assistant", ""),
        Message("tool", "sunny", "get_weather"),
        Message("assistant", "It is sunny."),
    ]

    assert answer(Turn("Weather?"), latest, AUTO) == Say(STILL_HERE)


def test_a_named_function_is_called_whatever_was_said() -> None:
    turn = Turn("Blue.", tools=[Tool("a", "", {}), TOOL])

    assert answer(turn, [], Choice("function", "get_time")) == Call("get_time", {})
    assert answer(Turn("", tools=[TOOL]), [], Choice("required")) == Call("get_time", {})


@given(st.text(max_size=300))
def test_every_text_gets_an_answer(text: str) -> None:
    reply = answer(Turn(text, tools=[TOOL]), [], AUTO)

    assert isinstance(reply, Call) or reply.text.strip()


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "part",
    [
        "weather in ",
        "add 1 and ",
        "what is ",
        "- ",
        "1,",
        "say ",
        "um ",
        ".",
        "five ",
        "my name is A ",
    ],
)
def test_no_long_text_keeps_the_script_busy(part: str) -> None:
    schema = {"properties": {"place": {"type": "string"}}, "required": ["place"]}
    tools = [Tool("get_weather", part * 50_000, schema), TOOL]
    text = part * 50_000
    history = [Message("instructions", text), Message("user", text)]

    # Coming back at all is what is tested; the deadline is the marker's.
    answer(Turn(text[:MAX_HEARD_CHARS], history, tools), [], AUTO)
    answer(Turn("What is my name?", history, tools), [], AUTO)
    answer(Turn("x"), [Message("tool", text)], AUTO)
