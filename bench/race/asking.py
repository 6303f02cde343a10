"""A user who asks one thing after the other, and waits for each answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle

from devstack.talk.audio import Sound
from devstack.talk.caller import CallEnded, Caller, CallerError

_ANSWERED_WITHIN_S = 15.0
_PAUSE_S = 0.3


@dataclass(slots=True)
class Answers:
    """What became of the questions so far."""

    asked: int = 0
    #: From the end of a question to the first sound of its answer.
    answered_s: list[float] = field(default_factory=list)

    @property
    def unanswered(self) -> int:
        """How many questions have no answer, one that is still waited for included."""
        return self.asked - len(self.answered_s)


@asynccontextmanager
async def asking(
    callers: Sequence[Caller], sentences: Sequence[Sound], ends_at: float
) -> AsyncIterator[list[Answers]]:
    """Have all of them ask until a moment; the block is left once the last is answered."""
    found = [Answers() for _ in callers]
    tasks = [
        asyncio.create_task(keep_asking(one, sentences, ends_at, answers))
        for one, answers in zip(callers, found, strict=True)
    ]
    try:
        yield found
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def keep_asking(
    caller: Caller, sentences: Sequence[Sound], ends_at: float, answers: Answers
) -> None:
    """Ask until a moment of `time.monotonic`, or until the call is ended; note the answers."""
    for sentence in cycle(sentences):
        if time.monotonic() >= ends_at:
            break
        answers.asked += 1
        try:
            await caller.say(sentence)
            answer = await caller.wait_answer(_ANSWERED_WITHIN_S)
        except CallEnded:
            break
        except CallerError:
            # Counted: it was asked, and has no answer.
            pass
        else:
            answers.answered_s.append(answer.latency_s)
        await asyncio.sleep(_PAUSE_S)
