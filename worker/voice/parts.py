"""What hears, thinks and speaks in one call; with another to step in where there is one.

Built for each call, on connections that the process shares: so each call has the voice and the
language it wants, and hears of its own failures only.

The framework's adapters choose among the models of a stage. What they are told, and why:

- No second attempt with a model that failed: the user waits, and the other one is there.
- An answer that breaks off is begun again by the other model. The user hears its beginning twice,
  which is better than half an answer; what was spoken of a sentence is not spoken again.
- Back to the first model once it works again (not `sticky`): it is the first for a reason.
- Speech recognition is handed whole sentences. The adapter for streams, which the framework would
  choose, loses the sentence at which the first model fails: the user would have to say it again.
- Each request of a turn is sent to a model that is down a second time, in the background, to see
  whether it works again. That costs money where it hangs but bills, and time of a server that is
  overloaded: outages.py lets one in the fleet through, seldom.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from livekit.agents import NOT_GIVEN, llm, stt, tts, vad
from livekit.plugins import openai
from openai import AsyncClient

from worker.voice.clients import Connections, ModelClient
from worker.voice.outages import Outages, fingerprint
from worker.voice.settings import Endpoint, ProviderSettings, Stage

#: The types of the framework's own events, besides those that all of them have.
Ears = stt.STT[Any]
Mind = llm.LLM[Any]
Mouth = tts.TTS[Any]
Model = Ears | Mind | Mouth
M = TypeVar("M", openai.STT, openai.LLM, openai.TTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One model of a stage."""

    stage: Stage
    model: Model
    label: str
    fingerprint: str
    #: Whether another one is there to step in for it.
    has_substitute: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The stages of one call."""

    stt: Ears
    llm: Mind
    tts: Mouth
    members: tuple[Member, ...]

    def has_substitute(self, stage: Stage) -> bool:
        """Say whether there is more than one model for a stage."""
        return any(one.has_substitute for one in self.members if one.stage is stage)

    async def aclose(self) -> None:
        """Let go of what is still being tried in the background."""
        if isinstance(self.stt, stt.StreamAdapter):
            await self.stt.wrapped_stt.aclose()
        for whole in (self.stt, self.llm, self.tts):
            await whole.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Builds the parts of calls."""

    settings: ProviderSettings
    connections: Connections
    outages: Outages
    vad: vad.VAD

    def recast(self, settings: ProviderSettings) -> Workshop:
        """Return a workshop for other settings, of another persona, on the same connections."""
        return replace(self, settings=settings)

    def build(self) -> Parts:
        """Build the parts of one call."""
        language, temperature = self.settings.stt_language, self.settings.llm_temperature
        ears = self._stage(Stage.HEARING, lambda one, client: build_stt(one, client, language))
        minds = self._stage(Stage.THINKING, lambda one, client: build_llm(one, client, temperature))
        mouth, mouths = self.build_mouth()
        return Parts(
            stt=self._hearing([model for model, _ in ears]),
            llm=self._thinking([model for model, _ in minds]),
            tts=mouth,
            members=(*(member for _, member in (*ears, *minds)), *mouths),
        )

    def build_mouth(self) -> tuple[Mouth, tuple[Member, ...]]:
        """Build the speaking part of one call alone."""
        mouths = self._stage(Stage.SPEAKING, build_tts)
        return self._speaking([model for model, _ in mouths]), tuple(one for _, one in mouths)

    def _stage(
        self, stage: Stage, make: Callable[[Endpoint, AsyncClient], M]
    ) -> list[tuple[M, Member]]:
        endpoints = self.settings.endpoints(stage)
        names = [fingerprint(stage, endpoint) for endpoint in endpoints]
        built = []
        for place, (endpoint, name) in enumerate(zip(endpoints, names, strict=True)):
            model = make(endpoint, self._client(endpoint, name, names[place + 1 :]))
            member = Member(
                stage=stage,
                model=model,
                label=endpoint.label,
                fingerprint=name,
                has_substitute=len(endpoints) > 1,
            )
            built.append((model, member))
        return built

    def _client(self, endpoint: Endpoint, name: str, substitutes: list[str]) -> AsyncClient:
        settings, outages = self.settings, self.outages
        patience_s = settings.provider_timeout_s
        if substitutes:
            patience_s = min(patience_s, settings.provider_attempt_timeout_s)

        def may_ask() -> bool:
            # The last one is always asked, and all of them are when no other is known to work.
            return all(outages.is_down(one) for one in substitutes) or outages.may_ask(name)

        http = self.connections.http(endpoint)
        return ModelClient(endpoint, http, patience_s=patience_s, may_ask=may_ask)

    def _hearing(self, models: list[openai.STT]) -> Ears:
        if len(models) == 1:
            return models[0]
        adapter = stt.FallbackAdapter(
            list(models),
            vad=self.vad,
            # Each model's client knows how long to wait.
            attempt_timeout=self.settings.provider_timeout_s,
            max_retry_per_stt=0,
        )
        return stt.StreamAdapter(stt=adapter, vad=self.vad)

    def _thinking(self, models: list[openai.LLM]) -> Mind:
        if len(models) == 1:
            return models[0]
        return llm.FallbackAdapter(
            list(models),
            attempt_timeout=self.settings.provider_timeout_s,
            max_retry_per_llm=0,
            retry_on_chunk_sent=True,
        )

    def _speaking(self, models: list[openai.TTS]) -> Mouth:
        if len(models) == 1:
            return models[0]
        return tts.FallbackAdapter(list(models), max_retry_per_tts=0)


def build_stt(endpoint: Endpoint, client: AsyncClient, language: str) -> openai.STT:
    """Build a hearing model."""
    return openai.STT(client=client, model=endpoint.model, language=language, use_realtime=False)


def build_llm(
    endpoint: Endpoint, client: AsyncClient, temperature: float | None = None
) -> openai.LLM:
    """Build a thinking model; without a temperature, with its own."""
    return openai.LLM(
        client=client,
        model=endpoint.model,
        temperature=NOT_GIVEN if temperature is None else temperature,
    )


def build_tts(endpoint: Endpoint, client: AsyncClient) -> openai.TTS:
    """Build a speaking model."""
    return openai.TTS(
        client=client,
        model=endpoint.model,
        voice=endpoint.voice,
        # Needs no decoder, and can be played from the first byte on.
        response_format="pcm",
    )
