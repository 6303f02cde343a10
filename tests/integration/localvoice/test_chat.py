"""The scripted brain through OpenAI's own client: whole answers, streams and tools."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageFunctionToolCall

MODEL = "whatever"


def function(name: str, description: str, **properties: object) -> dict[str, Any]:
    """A tool the way livekit-agents describes it: strict, everything required."""
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "strict": True,
            "parameters": {
                "type": "object",
                "properties": properties,
                "required": list(properties),
                "additionalProperties": False,
            },
        },
    }


TIME = function(
    "get_time", "The current time.", timezone={"type": "string", "description": "IANA zone"}
)
END = function("end_call", "Ends the current call and disconnects immediately.")
WEATHER = function(
    "lookup_weather",
    "Weather for a place.",
    location={"type": "string"},
    unit={"anyOf": [{"type": "string", "enum": ["celsius", "fahrenheit"]}, {"type": "null"}]},
)


def user(text: str) -> dict[str, str]:
    """A user's message."""
    return {"role": "user", "content": text}


async def ask(
    client: openai.AsyncOpenAI,
    *messages: Any,  # noqa: ANN401 - plain dicts, for the client's dozens of typed ones
    **options: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """The first choice of a whole answer."""
    answer = await client.chat.completions.create(model=MODEL, messages=messages, **options)
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0
    assert answer.model == MODEL
    return answer.choices[0]


async def test_a_sum(client: openai.AsyncOpenAI) -> None:
    choice = await ask(client, user("What is 7 plus 5?"))

    assert choice.message.content == "7 plus 5 is 12."
    assert choice.finish_reason == "stop"


async def test_a_stream_adds_up_to_the_whole(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Count to twenty"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]

    whole = await ask(client, user("Count to twenty"))
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == whole.message.content
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 20
    assert all(chunk.usage is None for chunk in chunks[:-1])


async def test_without_asking_a_stream_has_no_usage(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "hello"}], stream=True
    )

    assert all(chunk.usage is None and chunk.choices for chunk in [c async for c in stream])


async def test_no_user_turn_is_greeted(client: openai.AsyncOpenAI) -> None:
    choice = await ask(client, {"role": "system", "content": "You are a voice agent."})

    assert choice.message.content.startswith("Hello!")


async def test_the_name_is_in_the_messages_not_in_the_server(client: openai.AsyncOpenAI) -> None:
    told = [
        user("Hi, my name is Ada."),
        {"role": "assistant", "content": "Nice to meet you, Ada."},
        user("What is my name?"),
    ]

    assert "Ada" in (await ask(client, *told)).message.content
    assert "not told me" in (await ask(client, told[-1])).message.content


async def test_say_that_again(client: openai.AsyncOpenAI) -> None:
    choice = await ask(
        client,
        user("What is 2 plus 2?"),
        {"role": "assistant", "content": [{"type": "text", "text": "2 plus 2 is 4."}]},
        user("Sorry, can you say that again?"),
    )

    assert choice.message.content == "2 plus 2 is 4."


async def test_a_fitting_tool_is_called_and_its_result_spoken(client: openai.AsyncOpenAI) -> None:
    question = user("What time is it in Tokyo?")
    choice = await ask(client, question, tools=[END, TIME])

    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    (call,) = choice.message.tool_calls
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert call.function.name == "get_time"
    assert json.loads(call.function.arguments) == {"timezone": "Asia/Tokyo"}

    result = {"role": "tool", "tool_call_id": call.id, "content": "2026-01-05T15:04:00+09:00"}
    final = await ask(client, question, choice.message, result, tools=[END, TIME])

    assert final.message.content == "It is 3:04 PM on Monday, January 5, 2026."
    assert final.finish_reason == "stop"


async def test_a_streamed_tool_call(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(
        model=MODEL,
        messages=[{"role": "user", "content": "What is the weather in New York today?"}],
        tools=[WEATHER],  # type: ignore[list-item]
    ) as stream:
        async for _ in stream:
            pass
        final = await stream.get_final_completion()

    choice = final.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls
    call = choice.message.tool_calls[0].function
    assert json.loads(call.arguments) == {"location": "New York", "unit": None}


async def test_goodbye_ends_the_call_when_there_is_a_tool(client: openai.AsyncOpenAI) -> None:
    with_tool = await ask(client, user("Goodbye!"), tools=[TIME, END])
    without = await ask(client, user("Goodbye!"))

    assert with_tool.message.tool_calls[0].function.name == "end_call"
    assert without.message.content.startswith("Goodbye")


@pytest.mark.parametrize(
    ("tool_choice", "called"),
    [
        ("none", None),
        ("auto", "get_time"),
        ("required", "get_time"),
        ({"type": "function", "function": {"name": "end_call"}}, "end_call"),
    ],
)
async def test_tool_choice(
    client: openai.AsyncOpenAI, tool_choice: object, called: str | None
) -> None:
    choice = await ask(client, user("What time is it?"), tools=[END, TIME], tool_choice=tool_choice)

    if called is None:
        assert choice.message.content.startswith("It is ")
    else:
        assert choice.message.tool_calls[0].function.name == called


async def test_required_is_obeyed_even_when_nothing_fits(client: openai.AsyncOpenAI) -> None:
    choice = await ask(client, user("Blue."), tools=[WEATHER], tool_choice="required")

    call = choice.message.tool_calls[0].function
    assert json.loads(call.arguments) == {"location": "Blue.", "unit": None}


async def test_limits_and_stops_cut_the_answer(client: openai.AsyncOpenAI) -> None:
    short = await ask(client, user("Count to ten"), max_completion_tokens=3)
    stopped = await ask(client, user("Count to ten"), stop=["four"])

    assert short.message.content == "One, two, three,"
    assert short.finish_reason == "length"
    assert stopped.message.content == "One, two, three,"
    assert stopped.finish_reason == "stop"


async def test_a_story_is_long_enough_to_be_interrupted(client: openai.AsyncOpenAI) -> None:
    choice = await ask(client, user("Tell me a story"))

    assert len(choice.message.content.split()) > 200


@pytest.mark.parametrize(
    "options",
    [
        {"messages": []},
        {"messages": "hello"},
        {"messages": [{"role": "wizard", "content": "x"}]},
        {"messages": [{"content": "x"}]},
        {"messages": [{"role": "user", "content": 7}]},
        {"messages": [user("x")], "n": 2},
        {"messages": [user("x")], "max_tokens": 0},
        {"messages": [user("x")], "stream": "yes"},
        {"messages": [user("x")], "tools": "all"},
        {"messages": [user("x")], "tools": [{"type": "function", "function": {"name": ""}}]},
        {"messages": [user("x")], "tool_choice": "required"},
        {"messages": [user("x")], "tool_choice": "maybe"},
        {
            "messages": [user("x")],
            "tools": [TIME],
            "tool_choice": {"type": "function", "function": {"name": "nope"}},
        },
    ],
)
async def test_bad_requests(client: openai.AsyncOpenAI, options: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model=MODEL, **options)

    assert caught.value.type == "invalid_request_error"
    assert caught.value.code in {"invalid_value", "missing_parameter"}


async def test_models(client: openai.AsyncOpenAI) -> None:
    names = [model.id async for model in client.models.list()]

    assert names == ["localvoice-whisper", "localvoice-piper", "localvoice-script"]
    assert (await client.models.retrieve(names[0])).id == names[0]
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("gpt-17")
