"""What a span may say: what is not listed here is not sent.

Frameworks put prompts, words, arguments of tools and the texts of exceptions into spans, under
names that change with each version. So nothing is searched for what is private: names of spans
and attributes are listed that are known to be harmless, and what else a span has stays here. Events
are not sent at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from telemetry.tracing import Step, Value

#: Stands for a name that is not listed.
OTHER = "other"
#: Of livekit-agents 1.8.9.
_FRAMEWORK_SPANS = frozenset(
    {
        "agent_speaking",
        "agent_turn",
        "decision_model.evaluate",
        "drain_agent_activity",
        "eou_detection",
        "eou_wait",
        "function_tool",
        "llm_fallback_adapter",
        "llm_node",
        "llm_request",
        "llm_request_run",
        "on_enter",
        "on_exit",
        "on_user_turn_completed",
        "publish_audio_output",
        "realtime_inference",
        "realtime_metrics",
        "room_connect",
        "session_close",
        "session_start",
        "setup_toolsets",
        "start_agent_activity",
        "tts_fallback_adapter",
        "tts_node",
        "tts_request",
        "tts_request_run",
        "tts_stream_adapter",
        "user_speaking",
        "user_turn",
        "wait_for_audio_track",
        "wait_for_participant",
    }
)
#: Last as long as a call.
LASTING = frozenset({"agent_session"})
NAMES = frozenset(Step) | _FRAMEWORK_SPANS

_OURS = frozenset(
    f"voicefleet.{name}"
    for name in (
        *("session_id", "epoch", "job_id", "worker_id", "prewarmed"),
        *("outcome", "reason", "role", "interrupted"),
        *("transcription_ms", "end_of_turn_ms", "first_token_ms", "first_sound_ms", "answer_ms"),
    )
)
#: Texts of the framework: names of models, and words from lists of its own.
_FRAMEWORK_TEXTS = frozenset(
    {
        "error.type",
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.response.model",
        "lk.close_reason",
        "lk.eou.outcome",
        "lk.eou.source",
        "lk.interruption.source",
    }
)
_FRAMEWORK_NUMBERS = frozenset(
    {
        "gen_ai.request.stream",
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "lk.e2e_latency",
        "lk.end_of_turn_delay",
        "lk.eou.detection_delay",
        "lk.eou.endpointing_delay",
        "lk.eou.probability",
        "lk.eou.wait_duration",
        "lk.fallback.index",
        "lk.fallback.recovery",
        "lk.first_frame_delay",
        "lk.function_tool.is_error",
        "lk.generation_count",
        "lk.interrupted",
        "lk.on_user_turn_completed_delay",
        "lk.playout.position",
        "lk.response.ttfb",
        "lk.response.ttft",
        "lk.retry_count",
        "lk.speech.queue_wait",
        "lk.transcription_delay",
        "lk.tts.streaming",
    }
)
_TEXTS = _OURS | _FRAMEWORK_TEXTS
_NUMBERS = _OURS | _FRAMEWORK_NUMBERS
#: A name or a code, in one word: sentences have spaces.
_NAME = re.compile(r"[\w.:/@+-]{1,100}", re.ASCII)


def allowed_name(name: str) -> str:
    """Return the name of a span if it is listed."""
    return name if name in NAMES else OTHER


def allowed_attributes(attributes: Mapping[str, object] | None) -> dict[str, Value]:
    """Return those attributes that are listed, and are what they are listed as."""
    found: dict[str, Value] = {}
    for name, value in (attributes or {}).items():
        if isinstance(value, str):
            is_allowed = name in _TEXTS and _NAME.fullmatch(value) is not None
        else:
            is_allowed = name in _NUMBERS
        if is_allowed and isinstance(value, str | int | float):
            found[name] = value
    return found
