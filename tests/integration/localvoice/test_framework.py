"""livekit-plugins-openai as the client: what the worker will really send."""

from __future__ import annotations

import json
from typing import Literal

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIStatusError, function_tool, llm
from livekit.plugins import openai

from tests.integration.localvoice.server import Server
from tests.integration.localvoice.sounds import Spoken
from tests.support.recordings import RATE
from tests.support.speech import is_alike

KEY = "unused"


async def _close(stt: openai.STT) -> None:
    """Close the plugin's STT with its HTTP client, which its own aclose leaves open."""
    await stt.aclose()
    await stt._client.close()


@function_tool
async def get_time(timezone: str) -> str:
    """The current time.

    Args:
        timezone: IANA name of the zone, for example Europe/Paris
    """
    return timezone


async def test_stt_recognises(server: Server, spoken: Spoken) -> None:
    samples = spoken("What is seven plus five?")
    frame = rtc.AudioFrame(samples.tobytes(), RATE, 1, len(samples))
    for model in ("gpt-4o-mini-transcribe", "whisper-1"):
        stt = openai.STT(model=model, base_url=server.api, api_key=KEY)
        event = await stt.recognize(frame)
        await _close(stt)

        assert is_alike(event.alternatives[0].text, "What is seven plus five?")
        assert event.alternatives[0].language == "en"


@pytest.mark.parametrize("model", ["gpt-4o-mini-tts", "tts-1"])
@pytest.mark.parametrize("response_format", ["pcm", "wav", "mp3", "opus", "aac", "flac"])
async def test_tts_speaks_as_sse_and_as_audio(
    server: Server,
    model: str,
    response_format: Literal["pcm", "wav", "mp3", "opus", "aac", "flac"],
) -> None:
    # gpt-4o-mini-tts asks for events, tts-1 for the bare sound.
    tts = openai.TTS(model=model, base_url=server.api, api_key=KEY, response_format=response_format)
    async with tts.synthesize("Hello there. How are you today?") as stream:
        frames = [event.frame async for event in stream]
    await tts.aclose()

    samples = np.concatenate([np.frombuffer(frame.data, dtype=np.int16) for frame in frames])
    assert {frame.sample_rate for frame in frames} == {RATE}
    assert 1.2 < len(samples) / RATE < 6
    assert np.abs(samples.astype(int)).max() > 5_000


async def test_llm_streams_words_and_calls_tools(server: Server) -> None:
    model = openai.LLM(model="any", base_url=server.api, api_key=KEY)
    context = llm.ChatContext.empty()
    context.add_message(role="system", content="You are a voice agent.")
    context.add_message(role="user", content="What time is it in Paris?")

    async with model.chat(chat_ctx=context, tools=[get_time]) as stream:
        first = await stream.collect()
    (call,) = first.tool_calls
    assert call.name == "get_time"
    assert json.loads(call.arguments) == {"timezone": "Europe/Paris"}

    context.items.append(
        llm.FunctionCall(call_id=call.call_id, name=call.name, arguments=call.arguments)
    )
    context.items.append(
        llm.FunctionCallOutput(
            call_id=call.call_id, name=call.name, output="3:45 PM", is_error=False
        )
    )
    async with model.chat(chat_ctx=context, tools=[get_time]) as stream:
        second = await stream.collect()
    await model.aclose()

    assert second.text == "It is 3:45 PM."
    assert second.usage is not None
    assert second.usage.completion_tokens > 0


async def test_errors_arrive_as_the_frameworks_own(server: Server) -> None:
    stt = openai.STT(model="x", language="de", base_url=server.api, api_key=KEY)
    frame = rtc.AudioFrame(bytes(RATE * 2), RATE, 1, RATE)

    with pytest.raises(APIStatusError) as caught:
        await stt.recognize(frame)
    await _close(stt)

    assert caught.value.status_code == 400
    assert not caught.value.retryable
