"""OpenRTC's worker in the race, run by the Python of its own environment: `openrtc_side.py start`.

It imports nothing of ours, and nothing of OpenRTC before it is started: ours has no such package.
What it is told comes as variables: RACE_AGENT, RACE_GREETING, RACE_INSTRUCTIONS, WORKER_PORT and
the base URLs of the models. All else is as OpenRTC has it: coroutines in one process, uvloop, its
load function, the VAD of LiveKit's Silero plugin. Only a row of failures does not end it: rooms
that are closed before a user has come are failures to it, and the race has many.

Its worker wants a turn detector's module to be there, with a language model of its own, for turns
that it is told here to take by VAD. An empty class stands in for it, so that neither the model nor
the process that would hold it is loaded.
"""

from __future__ import annotations

import os
import sys
import types

from livekit.agents import Agent
from livekit.plugins import openai

_NO_LIMIT = 1_000_000
_told = dict(os.environ)  # noqa: TID251 - this program has no settings.py: it is none of ours


class _NoDetector:
    """Stands where OpenRTC looks for a turn detector; nobody makes one."""


class Greeter(Agent):
    """The plain worker's agent; OpenRTC makes it without arguments, and lets it greet."""

    def __init__(self) -> None:
        super().__init__(instructions=_told["RACE_INSTRUCTIONS"])

    async def on_enter(self) -> None:
        """Greet, once the session has begun."""
        self.session.say(_told["RACE_GREETING"])


def _stand_in() -> None:
    package = types.ModuleType("livekit.plugins.turn_detector")
    module = types.ModuleType("livekit.plugins.turn_detector.multilingual")
    module.MultilingualModel = _NoDetector  # type: ignore[attr-defined]
    package.multilingual = module  # type: ignore[attr-defined]
    sys.modules[package.__name__] = package
    sys.modules[module.__name__] = module


def main() -> None:
    """Run the worker until SIGTERM."""
    _stand_in()
    from openrtc import AgentPool  # type: ignore[import-not-found]  # noqa: PLC0415

    pool = AgentPool(
        isolation="coroutine",
        agent_name=_told["RACE_AGENT"],
        port=int(_told["WORKER_PORT"]),
        consecutive_failure_limit=_NO_LIMIT,
    )
    pool.add(
        "race",
        Greeter,
        stt=openai.STT(base_url=_told["STT_BASE_URL"]),
        llm=openai.LLM(base_url=_told["LLM_BASE_URL"]),
        tts=openai.TTS(base_url=_told["TTS_BASE_URL"]),
        session_kwargs={
            "turn_handling": {"turn_detection": "vad", "interruption": {"mode": "vad"}}
        },
    )
    pool.run()


if __name__ == "__main__":
    main()
