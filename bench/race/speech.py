"""What users say in the race: real speech, made by the project's own voice and kept for later."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.servers import running
from devstack.services.ports import LOOPBACK, free_port
from devstack.services.process import Command
from devstack.services.readiness import http_ok
from devstack.services.service import Service
from devstack.settings import REPO, cache_dir
from devstack.talk.audio import Sound
from tests.support.speech import speak

SENTENCES = (
    "What time does the harbour open in the morning?",
    "Could you tell me how to get to the station?",
    "Is there anything else that I should know about it?",
)
_READY_S = 120.0


async def spoken(env: Mapping[str, str], folder: Path) -> list[Sound]:
    """Return the sentences; the voice speaks only those that are not in the cache yet."""
    kept = cache_dir(env) / "race-speech"
    files = [kept / f"{_name(sentence)}.wav" for sentence in SENTENCES]
    if not all(file.exists() for file in files):
        async with running(lambda: [_voice(env, folder)]) as voice:
            url = voice.services[0].url
            for sentence, file in zip(SENTENCES, files, strict=True):
                # In one step: a file that is there is complete.
                half = file.with_suffix(".part")
                (await speak(url, sentence)).write(half)
                half.replace(file)
    return [Sound.read(file) for file in files]


def _name(sentence: str) -> str:
    return hashlib.sha256(sentence.encode()).hexdigest()[:16]


def _voice(env: Mapping[str, str], folder: Path) -> Service:
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    argv: Sequence[str] = (sys.executable, "-m", "localvoice", "--port", str(port))
    command = Command(
        name="localvoice", argv=tuple(argv), env=env, log=folder / "localvoice.log", cwd=REPO
    )
    return Service(
        command=command, url=url, ready=http_ok(f"{url}/readyz"), ready_within_s=_READY_S
    )
