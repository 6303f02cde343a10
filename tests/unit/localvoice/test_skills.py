"""What the script answers, skill by skill, as transcribers write what callers say."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

import pytest

from localvoice.brain.conversation import Message, Turn
from localvoice.brain.reply import Call, Say
from localvoice.brain.script import converse
from localvoice.brain.skills import SKILLS
from localvoice.brain.tools import Tool

NOON = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)


def noon(zone: tzinfo | None) -> datetime:
    """The same moment everywhere; the caller's own zone is UTC."""
    return NOON.astimezone(zone or UTC)


def reply(text: str, *history: Message, tools: tuple[Tool, ...] = ()) -> Say | Call:
    """The script's answer."""
    return converse(Turn(text, history, tools, clock=noon))


def said(text: str, *history: Message) -> str:
    """The script's answer in words."""
    answer = reply(text, *history)
    assert isinstance(answer, Say)
    return answer.text


@pytest.mark.parametrize(
    ("name", "example"), [(skill.name, text) for skill in SKILLS for text in skill.examples]
)
def test_each_example_reaches_its_own_skill(name: str, example: str) -> None:
    turn = Turn(example, clock=noon)

    taken_by = next(skill.name for skill in SKILLS if skill.answer(turn) is not None)

    assert taken_by == name


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("What is 7 plus 5?", "7 plus 5 is 12."),
        ("what is seven plus five", "7 plus 5 is 12."),
        ("Hello, what's 12 x 12?", "12 times 12 is 144."),
        ("12 \u00d7 12", "12 times 12 is 144."),
        ("100 \u00f7 8", "100 divided by 8 is 12.5."),
        ("What is 7-3?", "7 minus 3 is 4."),
        ("twenty-one minus four times three", "21 minus 4 times 3 is 9."),
        ("Can you tell me what 7 plus 5 is?", "7 plus 5 is 12."),
        ("What's 1,000 plus 2,500?", "1000 plus 2500 is 3500."),
        ("what is two hundred and five divided by five", "205 divided by 5 is 41."),
        ("What is three point five times two?", "3.5 times 2 is 7."),
        ("how much is 15% of 80", "15 percent of 80 is 12."),
        ("What's the square root of 144?", "The square root of 144 is 12."),
        ("square root of 2", "The square root of 2 is about 1.414214."),
        ("What is 2 to the power of 10?", "2 to the power of 10 is 1024."),
        ("what is one divided by three", "1 divided by 3 is about 0.333333."),
        ("Subtract 3 from 10.", "10 minus 3 is 7."),
        ("What is 10 divided by 0?", "Nothing can be divided by zero."),
        ("what is nine to the power of 99999999", "That number is too big for me."),
        ("what is 0 to the power of minus 1", "Nothing can be divided by zero."),
        ("Count from 5 to 9.", "Five, six, seven, eight, nine."),
        ("Count down from three.", "Three, two, one."),
        ("count backwards from 12 to 10", "Twelve, eleven, ten."),
        ("Could you please count to three?", "One, two, three."),
        ("Count to a million", "I only count up to 999."),
        ("Spell the word cat.", "The word cat is spelled: C, A, T."),
        ("How do you spell voice?", "The word voice is spelled: V, O, I, C, E."),
        ("Repeat after me, the sky is blue.", "The sky is blue."),
        ("Please say hello world!", "Hello world!"),
        ("What time is it?", "It is 12:05 PM."),
        ("Do you have the time?", "It is 12:05 PM."),
        ("What time is it in Tokyo right now?", "It is 9:05 PM in Tokyo."),
        ("what time is it in New York", "It is 7:05 AM in New York."),
        ("What's the time in the UK?", "It is 12:05 PM in UK."),
        ("What's the date today?", "Today is Sunday, March 1, 2026."),
        ("My name is Ada.", "Nice to meet you, Ada."),
        ("hi, I\u2019m Ada Lovelace.", "Nice to meet you, Ada Lovelace."),
        ("What is my name?", "You have not told me your name yet."),
        ("Thank you.", "You are welcome. Anything else?"),
        ("Can you hear me?", "Yes, I can hear you."),
    ],
)
def test_answers(text: str, answer: str) -> None:
    assert said(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "What is love?",
        "I have 3 apples and 5 pears.",
        "I'm fine.",
        "My name is not important.",
        "five",
        "It's time to go somewhere.",
        "This happened many times.",
        "x",
    ],
)
def test_the_rest_is_echoed_honestly(text: str) -> None:
    answer = said(text)

    assert answer.startswith("I am the offline demo")
    assert text.rstrip(".?") in answer


def test_a_long_count_is_bounded_and_in_sentences() -> None:
    answer = said("count to five hundred")

    assert answer.count(".") >= 10
    assert "one hundred." in answer
    assert "one hundred and one" not in answer


def test_the_latest_name_counts() -> None:
    history = (
        Message("instructions", "The user's name is Zoe."),
        Message("user", "I am called Bob"),
        Message("assistant", "Nice to meet you, Bob."),
        Message("user", "Sorry, my name is Alice."),
    )

    assert said("What's my name?", *history) == "Your name is Alice."
    assert said("What's my name?", history[0]) == "Your name is Zoe."


def test_say_that_again_repeats_the_assistant() -> None:
    history = (Message("user", "Hi"), Message("assistant", "Hello to you."))

    assert said("Pardon?", *history) == "Hello to you."
    assert said("What did you say?") == "I have not said anything yet."


def test_a_second_hello_is_shorter() -> None:
    again = said("Hello!", Message("assistant", "Hello!"))

    assert len(again) < len(said("Hello!"))


@pytest.mark.parametrize(
    ("description", "name", "text"),
    [
        ("Ends the current call and disconnects.", "end_call", "Goodbye!"),
        ("Hang up the phone.", "hangUp", "Please hang up."),
        ("Use it to end the conversation.", "finish", "That's all, thanks."),
    ],
)
def test_goodbye_uses_a_tool_that_ends_the_call(description: str, name: str, text: str) -> None:
    other = Tool("get_weather", "Do not use it to end the call.", {})

    answer = reply(text, tools=(other, Tool(name, description, {})))

    assert answer == Call(name, {})


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({"timezone": {"type": "string"}}, {"timezone": "Asia/Tokyo"}),
        ({"tz": {"type": ["string", "null"]}}, {"tz": "Asia/Tokyo"}),
        ({"where": {"type": "string", "description": "IANA zone"}}, {"where": "Asia/Tokyo"}),
        ({"city": {"type": "string"}}, {"city": "Tokyo"}),
        ({"zone": {"type": "string", "enum": ["UTC", "Asia/Tokyo"]}}, {"zone": "Asia/Tokyo"}),
        ({}, {}),
        ({"format": {"type": ["string", "null"]}}, {"format": None}),
    ],
)
def test_the_time_is_asked_of_a_tool(
    schema: dict[str, object], arguments: dict[str, object]
) -> None:
    tool = Tool("get_current_time", "", {"properties": schema, "required": list(schema)})

    assert reply("What time is it in Tokyo?", tools=(tool,)) == Call(tool.name, arguments)


def test_without_a_place_the_own_zone_is_asked_for() -> None:
    schema = {"properties": {"timezone": {"type": "string"}}, "required": ["timezone"]}

    answer = reply("What time is it?", tools=(Tool("get_time", "", schema),))

    assert answer == Call("get_time", {"timezone": "UTC"})


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("What is the weather in New York today?", {"location": "New York", "days": None}),
        ("Weather for Paris please", {"location": "Paris", "days": None}),
        ("What's the weather in Rome?", {"location": "Rome", "days": None}),
    ],
)
def test_any_tool_that_is_named_and_filled(text: str, arguments: dict[str, object]) -> None:
    schema = {
        "properties": {"location": {"type": "string"}, "days": {"type": ["integer", "null"]}},
        "required": ["location", "days"],
    }

    assert reply(text, tools=(Tool("get_weather", "", schema),)) == Call("get_weather", arguments)


def test_a_tool_that_cannot_be_filled_is_not_called() -> None:
    schema = {"properties": {"location": {"type": "string"}}, "required": ["location"]}

    answer = reply("I like the weather.", tools=(Tool("get_weather", "", schema),))

    assert isinstance(answer, Say)
