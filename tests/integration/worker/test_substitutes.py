"""Another model steps in for one that fails: at each stage, for each way of failing.

Real HTTP, the plugin and the adapters that calls use; without a room, so that every case is tried.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, ChatContext, inference
from pydantic import SecretStr

from devstack.services.ports import LOOPBACK, free_port
from sessions.batch import Client
from sessions.keys import Keys
from sessions.settings import StoreSettings
from tests.support.provider import Provider, Stage, Trouble, provider
from worker.voice.clients import Connections
from worker.voice.outages import Outages, fingerprint
from worker.voice.parts import Parts, Workshop
from worker.voice.settings import ProviderSettings
from worker.voice.settings import Stage as Part

pytestmark = pytest.mark.timeout(120)

ATTEMPT_S = 0.7
#: A busy machine; the plugin's own patience is 30 s.
SOON_S = 10.0
QUICKLY = APIConnectOptions(max_retry=0, timeout=SOON_S)
PARTS = {Stage.CHAT: Part.THINKING, Stage.HEARING: Part.HEARING, Stage.SPEECH: Part.SPEAKING}
CASES = [(stage, trouble) for stage in Stage for trouble in [*Trouble, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two providers, and the parts of a call that knows both."""

    first: Provider
    second: Provider
    workshop: Workshop

    @property
    def outages(self) -> Outages:
        return self.workshop.outages

    def name(self, part: Part) -> str:
        """Return what the first model of a stage is called among processes."""
        return fingerprint(part, self.workshop.settings.endpoints(part)[0])


def workshop(
    settings: StoreSettings,
    redis: Client,
    first: str,
    second: str | None,
    patience_s: float = SOON_S,
) -> Workshop:
    """Build what a process would, with these providers."""
    second_urls: dict[str, Any] = {
        f"{part}_fallback_base_url": second for part in PARTS.values() if second
    }
    chosen = ProviderSettings(
        redis_url=settings.redis_url,
        redis_prefix=settings.redis_prefix,
        openai_base_url=first,
        openai_api_key=SecretStr("first-key"),
        provider_timeout_s=patience_s,
        provider_attempt_timeout_s=ATTEMPT_S,
        **second_urls,
    )
    return Workshop(
        settings=chosen,
        connections=Connections(),
        outages=Outages(redis, Keys(settings.redis_prefix), chosen.provider_outage_s),
        vad=inference.VAD(model="silero"),
    )


@pytest.fixture
async def pair(settings: StoreSettings, redis: Client, provider: Provider) -> AsyncIterator[Pair]:
    async with serving() as second:
        provider.reply, second.reply = "The first.", "The second."
        provider.heard, second.heard = "To the first.", "To the second."
        built = workshop(settings, redis, provider.url, second.url)
        yield Pair(first=provider, second=second, workshop=built)
        await built.connections.aclose()


serving = provider


async def ask(parts: Parts, stage: Stage) -> str:
    """Have a stage do its work once; return the words, or how many seconds of sound."""
    match stage:
        case Stage.CHAT:
            context = ChatContext.empty()
            context.add_message(role="user", content="Who are you?")
            async with parts.llm.chat(chat_ctx=context, conn_options=QUICKLY) as answer:
                pieces = [piece.delta.content or "" async for piece in answer if piece.delta]
            return "".join(pieces).strip()
        case Stage.HEARING:
            heard = await parts.stt.recognize(SOUND, conn_options=QUICKLY)
            return heard.alternatives[0].text
        case Stage.SPEECH:
            spoken = parts.tts.synthesize("Something.", conn_options=QUICKLY)
            return f"{(await spoken.collect()).duration:.1f} s"


SOUND = rtc.AudioFrame(b"\x10\x00" * 24_000, 24_000, 1, 24_000)
EXPECTED = {Stage.CHAT: "The second.", Stage.HEARING: "To the second.", Stage.SPEECH: "0.5 s"}


@pytest.mark.parametrize(("stage", "trouble"), CASES)
async def test_whatever_goes_wrong_the_other_one_answers(
    pair: Pair, settings: StoreSettings, redis: Client, stage: Stage, trouble: Trouble | None
) -> None:
    """1. The first model of a stage fails. 2. The stage is asked, and asked again.

    Result: the second answers, after one attempt; it is known that the first is down, and the next
    request does not wait for it.
    """
    built, asked_of_first = pair.workshop, len(pair.first.asked)
    if trouble is None:  # refused
        nobody = f"http://{LOOPBACK}:{free_port()}/v1"
        built = workshop(settings, redis, nobody, pair.second.url)
    else:
        pair.first.trouble[stage] = trouble
    parts = built.build()
    model = fingerprint(PARTS[stage], built.settings.endpoints(PARTS[stage])[0])
    report_failures(parts, built.outages)

    began_at = time.monotonic()
    answer = await ask(parts, stage)
    first_took_s = time.monotonic() - began_at

    if trouble is Trouble.CUT and stage is Stage.CHAT:
        # Begun again: better heard twice than not to its end.
        assert answer.endswith("The second.")
    elif trouble in {Trouble.CUT, Trouble.FLOOD} and stage is Stage.SPEECH:
        # What was spoken is not spoken again.
        assert answer != EXPECTED[stage]
    else:
        assert answer == EXPECTED[stage]
    assert first_took_s < SOON_S
    assert built.outages.is_down(model)

    asked_of_first = len(pair.first.requests(stage))
    assert await ask(parts, stage) == EXPECTED[stage]
    assert len(pair.first.requests(stage)) == asked_of_first
    await parts.aclose()
    await built.connections.aclose()


@pytest.mark.parametrize("stage", [Stage.HEARING, Stage.SPEECH])
async def test_the_only_one_is_waited_for_as_long_as_is_set(
    settings: StoreSettings, redis: Client, provider: Provider, stage: Stage
) -> None:
    """The plugin would wait for 30 s."""
    provider.trouble[stage] = Trouble.HANG
    alone = workshop(settings, redis, provider.url, None, patience_s=ATTEMPT_S)
    parts = alone.build()
    with pytest.raises(APIError):
        async with asyncio.timeout(SOON_S):
            await ask(parts, stage)
    await alone.connections.aclose()


async def test_all_stages_of_a_provider_share_its_connections(pair: Pair) -> None:
    parts = pair.workshop.build()
    other = pair.workshop.recast(
        pair.workshop.settings.model_copy(update={"tts_voice": "other", "stt_language": "de"})
    ).build()
    for stage in Stage:
        await ask(parts, stage)
        await ask(other, stage)
    settings, connections = pair.workshop.settings, pair.workshop.connections
    for place in range(2):
        assert (
            len({id(connections.http(settings.endpoints(one)[place])) for one in PARTS.values()})
            == 1
        )
    assert {one.headers["authorization"] for one in pair.first.asked} == {"Bearer first-key"}
    spoken = pair.first.requests(Stage.SPEECH)
    assert [one.body["voice"] for one in spoken] == ["ash", "other"]
    heard = pair.first.requests(Stage.HEARING)
    assert [one.body["language"] for one in heard] == ["en", "de"]
    await parts.aclose()
    await other.aclose()


async def test_the_key_of_one_provider_is_not_shown_to_another(pair: Pair) -> None:
    pair.first.trouble = dict.fromkeys(Stage, Trouble.ERROR)
    parts = pair.workshop.build()
    for stage in Stage:
        await ask(parts, stage)
    assert {one.headers["authorization"] for one in pair.second.asked} == {"Bearer unset"}
    await parts.aclose()


def report_failures(parts: Parts, outages: Outages) -> None:
    """Do with failures what a call does with them: see worker/voice/care.py."""
    for member in parts.members:

        def on_error(_: object, name: str = member.fingerprint) -> None:
            outages.report_failure(name)

        member.model.on("error", on_error)
