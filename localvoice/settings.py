"""What can be configured, read from ``LOCALVOICE_*`` variables.

Command line flags (``localvoice.arguments``) are made from these fields, so the two agree.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, HttpUrl, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

#: A SHA-256 digest as 64 hexadecimal digits.
_SHA256 = r"^[0-9a-fA-F]{64}$"


class Settings(BaseSettings):
    """Every setting has a default: ``python -m localvoice`` runs with an empty environment."""

    model_config = SettingsConfigDict(
        env_prefix="LOCALVOICE_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        # Without it a bad variable prints the other values, keys included.
        hide_input_in_errors=True,
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8010, ge=1, le=65535, description="port to listen on")
    api_key: SecretStr | None = Field(
        None, min_length=1, description="bearer key that /v1 asks for; unset means open"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="lowest level that is logged"
    )

    whisper_dir: Path | None = Field(
        None, description="faster-whisper model folder instead of the bundled tiny.en"
    )
    whisper_sha256: str | None = Field(
        None, pattern=_SHA256, description="expected digest of that folder's model.bin"
    )
    piper_model: Path | None = Field(
        None, description="Piper voice (.onnx) instead of the bundled en_US joe"
    )
    piper_config: Path | None = Field(
        None, description="that voice's description; default: the model's path plus .json"
    )
    piper_sha256: str | None = Field(
        None, pattern=_SHA256, description="expected digest of that voice's .onnx file"
    )

    cpu_threads: int = Field(
        0, ge=0, le=256, description="threads of one transcription; 0: processors / concurrency"
    )
    stt_concurrency: int = Field(1, ge=1, le=64, description="transcriptions at the same time")
    tts_concurrency: int = Field(2, ge=1, le=64, description="sentences spoken at the same time")
    queue_limit: int = Field(
        16, ge=0, le=10_000, description="requests that may wait per engine; one more gets 429"
    )
    queue_timeout_s: float = Field(
        20.0, gt=0, le=600, description="longest wait for an engine, seconds"
    )
    stt_timeout_s: float = Field(
        120.0, gt=0, le=3600, description="longest transcription, seconds of work"
    )
    tts_timeout_s: float = Field(
        30.0, gt=0, le=600, description="longest synthesis of one sentence, seconds of work"
    )

    max_upload_bytes: int = Field(
        25 * 1024 * 1024, ge=1024, le=2**30, description="largest audio upload, bytes"
    )
    max_json_bytes: int = Field(
        1024 * 1024, ge=1024, le=2**28, description="largest JSON body, bytes"
    )
    max_audio_s: float = Field(
        600.0, gt=0, le=36_000, description="longest audio to transcribe, seconds"
    )
    max_input_chars: int = Field(
        4096, ge=1, le=100_000, description="longest text to speak in one request, characters"
    )
    body_timeout_s: float = Field(
        60.0, gt=0, le=3600, description="longest time a request body may take, seconds"
    )
    send_timeout_s: float = Field(
        60.0, gt=0, le=3600, description="longest pause of a client reading a reply, seconds"
    )
    shutdown_timeout_s: int = Field(
        3, ge=0, le=300, description="time that running requests get at shutdown, seconds"
    )

    timezone: str | None = Field(
        None, description="IANA zone in which the script tells the time; default: the machine's"
    )
    llm_base_url: HttpUrl | None = Field(
        None, description="OpenAI-compatible server that chat is passed to instead of the script"
    )
    llm_api_key: SecretStr | None = Field(
        None, min_length=1, description="bearer key for that server"
    )
    llm_model: str | None = Field(
        None, min_length=1, description="model name sent to that server, whatever was asked for"
    )
    llm_connect_timeout_s: float = Field(
        5.0, gt=0, le=120, description="longest wait for a connection to that server, seconds"
    )
    llm_read_timeout_s: float = Field(
        60.0, gt=0, le=3600, description="longest silence of that server, seconds"
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (OSError, ValueError, KeyError) as error:
                raise ValueError("not a time zone this machine knows") from error
        return value
