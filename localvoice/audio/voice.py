"""Piper on the CPU: a sentence to samples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from piper import PiperConfig, PiperVoice, SynthesisConfig

#: Piper scales each sentence to the full range; the resampler may overshoot, so leave room.
_VOLUME = 0.8
#: A breath between sentences, seconds.
_PAUSE_S = 0.12
#: Two threads halve the wait for a sentence; more gain nothing on a voice of this size.
_THREADS = 2

Samples = NDArray[np.float32]


class Voice:
    """A loaded Piper voice. ``speak`` may be called from several threads."""

    def __init__(self, model: Path, config: Path) -> None:
        """Load the voice: under a second and about 100 MB."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _THREADS
        # Waiting threads sleep; by default they burn the core that Whisper needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # The arena keeps what the longest sentence ever needed: gigabytes, if it was an odd one.
        options.enable_cpu_mem_arena = False
        self._piper = PiperVoice(
            session=onnxruntime.InferenceSession(
                str(model), sess_options=options, providers=["CPUExecutionProvider"]
            ),
            config=PiperConfig.from_dict(json.loads(config.read_bytes())),
        )
        # The first use loads the pronunciation data; let nobody's first sentence pay for it.
        self.speak("Ready.", speed=1.0)

    @property
    def sample_rate(self) -> int:
        """Samples per second of what ``speak`` returns."""
        return int(self._piper.config.sample_rate)

    def speak(self, sentence: str, *, speed: float) -> Samples:
        """Mono samples in [-1, 1]. Blocking: about 0.05 s of one core per second of speech.

        ``speed`` 2.0 is twice as fast. A sentence without sounds comes out as a short pause.
        """
        wanted = SynthesisConfig(
            length_scale=self._piper.config.length_scale / speed, volume=_VOLUME
        )
        chunks = [chunk.audio_float_array for chunk in self._piper.synthesize(sentence, wanted)]
        pause = np.zeros(int(_PAUSE_S / speed * self.sample_rate), dtype=np.float32)
        return np.concatenate([*chunks, pause], dtype=np.float32)
