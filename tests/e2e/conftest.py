"""Something to say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from devstack.talk.audio import Sound
from tests.support.servers import RunningStack
from tests.support.speech import speak

QUESTION = "What is seven plus five?"
RATE = 48_000
#: Before the question: joining, and the agent's greeting. After it: the answer.
_BEFORE_S, _AFTER_S = 8.0, 12.0


@pytest.fixture
async def question(stack: RunningStack, tmp_path: Path) -> Path:
    """The question as a file for a microphone. It is played again and again, every 20 s or so:
    whoever is not understood at once asks again."""
    spoken = (await speak(stack.localvoice_url, QUESTION)).at_rate(RATE)
    before, after = (np.zeros(int(s * RATE), np.int16) for s in (_BEFORE_S, _AFTER_S))
    path = tmp_path / "question.wav"
    # Without this file the browser's microphone would be silent, and nobody would say so.
    Sound(np.concatenate([before, spoken.samples, after]), RATE).write(path)
    return path
