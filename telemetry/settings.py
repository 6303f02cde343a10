"""Whether there are traces, and where they are sent. The names are OpenTelemetry's own."""

from __future__ import annotations

import re
from importlib.util import find_spec
from urllib.parse import unquote

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_VALUE = re.compile(r"[\x20-\x7e]{0,4000}")


class TracingSettings(BaseSettings):
    """Settings of the traces, read from the environment."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^@\s]+$",
        description="Where traces are sent, by OTLP over HTTP; `/v1/traces` is added. Unset: there "
        "are none (docs/tracing.md).",
    )
    otel_exporter_otlp_headers: SecretStr | None = Field(
        None,
        description="Headers that are sent along, as `name=value,name=value`, values "
        "percent-encoded; may hold a key.",
    )
    otel_service_name: str = Field(
        "voicefleet",
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="First part of the names of our services in traces: `voicefleet-tokenserver`, "
        "`-supervisor`, `-worker`.",
    )
    otel_traces_sampler_arg: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Of which share of the sessions there is a trace; the same for all services, "
        "so that each trace is whole.",
    )

    @property
    def otlp_headers(self) -> dict[str, str]:
        """The headers by name."""
        given = self.otel_exporter_otlp_headers
        return {} if given is None else _parse(given.get_secret_value())

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _check_packages(cls, endpoint: str | None) -> str | None:
        if endpoint is not None and not _can_send():
            raise ValueError("needs a package that is missing: install the extra `tracing`")
        return endpoint

    @field_validator("otel_exporter_otlp_headers")
    @classmethod
    def _check_headers(cls, given: SecretStr | None) -> SecretStr | None:
        if given is not None:
            _parse(given.get_secret_value())
        return given


def _can_send() -> bool:
    try:
        return find_spec(_EXPORTER) is not None
    except ModuleNotFoundError:
        return False


def _parse(text: str) -> dict[str, str]:
    """Return headers by name. Raises ValueError, without their values."""
    found: dict[str, str] = {}
    for pair in filter(None, map(str.strip, text.split(","))):
        name, equals, value = (part.strip() for part in pair.partition("="))
        decoded = unquote(value)
        if not equals or not _NAME.fullmatch(name) or not _VALUE.fullmatch(decoded):
            raise ValueError("must be name=value,name=value")
        found[name.lower()] = decoded
    return found
