"""Settings of the token server; every variable is listed in docs/settings.md."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from sessions.personas import PersonaSettings
from supervisor.settings import SupervisorSettings
from tokenserver.access.settings import AccessSettings
from tokenserver.access.strength import weak_secrets
from tokenserver.pages.folder import served_files
from tokenserver.pages.policy import livekit_sources

#: LiveKit hands those who are in a room fresh tokens, good for ten minutes (livekit-server 1.13.5).
REFRESHED_TOKEN_S = 600
#: By how much it lets clocks differ when it looks at one.
_TOKEN_LEEWAY_S = 60
#: Origins that anybody's page can have: `null` is what a sandboxed frame of any site sends.
_EVERYBODY = frozenset({"*", "null"})


class TokenserverSettings(SupervisorSettings, AccessSettings, PersonaSettings):
    """Everything the token server reads from its environment."""

    tokenserver_host: str = Field("127.0.0.1", description="Address to listen on.")
    tokenserver_port: int = Field(8080, ge=0, le=65_535, description="Port to listen on.")
    token_ttl_s: int = Field(
        120, ge=5, le=3600, description="How long a token may be used to join; talks last longer."
    )
    cors_origins: list[str] = Field(
        [], description="Other origins whose pages may call the API, as a JSON list."
    )
    web_dir: Path | None = Field(
        None,
        description="Folder of the built pages, as `npm run build` in web/ leaves it; unset: no "
        "page is served.",
    )
    environment: Literal["development", "production"] = Field(
        "development",
        description="`production` refuses to start with secrets that are short or well known, and "
        "with `*` or `null` among the origins.",
    )
    connections_limit: int = Field(
        4096, ge=16, le=100_000, description="How many connections are served; others get 503."
    )
    watchers_limit: int = Field(
        1000, ge=1, le=50_000, description="How many long polls and event streams may be open."
    )
    watchers_per_address: int = Field(
        50, ge=1, le=50_000, description="How many of them one address may have."
    )
    shutdown_delay_s: float = Field(
        3.0,
        ge=0,
        le=60,
        description="How long `/readyz` says 503 before the server stops taking calls; longer than "
        "your balancer needs to notice.",
    )
    redis_breaker_failures: int = Field(
        5, ge=1, le=100, description="After so many failures in a row Redis is left alone a while."
    )
    redis_breaker_open_s: float = Field(
        1.0, ge=0.1, le=60, description="How long that is, before one call tries again."
    )
    log_level: str = Field(
        "INFO",
        pattern=r"^(?i:debug|info|warning|error)$",
        description="Lowest level that is logged.",
    )

    @field_validator("web_dir")
    @classmethod
    def _check_web_dir(cls, folder: Path | None) -> Path | None:
        if folder is not None:
            folder = folder.expanduser()
            served_files(folder)
        return folder

    @model_validator(mode="after")
    def _check_pages(self) -> Self:
        if self.web_dir is not None:
            livekit_sources(self.public_url)
        return self

    @model_validator(mode="after")
    def _check_history(self) -> Self:
        # Without its record, a session begins anew when somebody joins with a token of it.
        needed_s = max(self.token_ttl_s, REFRESHED_TOKEN_S) + _TOKEN_LEEWAY_S
        if self.history_ttl_s < needed_s:
            raise ValueError(
                f"HISTORY_TTL_S must be {needed_s} or more, to outlast every token of a session: "
                f"TOKEN_TTL_S, and {REFRESHED_TOKEN_S} s of those that LiveKit hands out itself"
            )
        return self

    @model_validator(mode="after")
    def _check_production(self) -> Self:
        if self.environment == "production":
            problems = [
                *weak_secrets(self),
                *(
                    f"CORS_ORIGINS has {origin}"
                    for origin in self.cors_origins
                    if origin in _EVERYBODY
                ),
            ]
            if problems:
                raise ValueError(f"not fit for production: {'; '.join(problems)}")
        return self
