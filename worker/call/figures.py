"""The framework's figures as those of the record: numbers and names, and never a word."""

from __future__ import annotations

from collections.abc import Iterable

from livekit.agents.llm import ChatMessage

from sessions.records import TurnTimes, Usage

_MAX_NAME_CHARS = 100
#: One for each model, with those that were asked when the first ones failed.
_MOST_MODELS = 12


def turn_times(item: object) -> TurnTimes | None:
    """Return how long the stages of a turn took; None for an item that is no turn."""
    if not isinstance(item, ChatMessage):
        return None
    match item.role:
        case "user" | "assistant" as role:
            figures = item.metrics
        case _:
            return None
    return TurnTimes(
        role=role,
        at_ms=round(item.created_at * 1000),
        is_interrupted=item.interrupted,
        transcription_ms=_ms(figures.get("transcription_delay")),
        end_of_turn_ms=_ms(figures.get("end_of_turn_delay")),
        first_token_ms=_ms(figures.get("llm_node_ttft")),
        first_sound_ms=_ms(figures.get("tts_node_ttfb")),
        answer_ms=_ms(figures.get("e2e_latency")),
    )


def spoken_s(item: object) -> tuple[float, float] | None:
    """Return from when to when a turn was spoken, in s since 1970; None where nobody knows."""
    if not isinstance(item, ChatMessage):
        return None
    began_s = item.metrics.get("started_speaking_at")
    ended_s = item.metrics.get("stopped_speaking_at")
    return None if began_s is None or ended_s is None else (began_s, ended_s)


def usage(models: Iterable[object]) -> tuple[Usage, ...]:
    """Return what each model has done so far, as the framework counts it (`ModelUsage`)."""
    found = [
        Usage(
            stage=_name(getattr(one, "type", "")).removesuffix("_usage"),
            provider=_name(getattr(one, "provider", "")),
            model=_name(getattr(one, "model", "")),
            input_tokens=_count(one, "input_tokens"),
            output_tokens=_count(one, "output_tokens"),
            characters=_count(one, "characters_count"),
            audio_ms=_ms(getattr(one, "audio_duration", 0.0)) or 0,
            requests=_count(one, "total_requests"),
        )
        for one in models
    ]
    return tuple(found[:_MOST_MODELS])


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else max(0, round(seconds * 1000))


def _count(one: object, name: str) -> int:
    return int(getattr(one, name, 0) or 0)


def _name(text: object) -> str:
    return str(text)[:_MAX_NAME_CHARS]
