"""Settings of the token server; every variable is listed in the README."""

from __future__ import annotations

from pydantic import Field, SecretStr

from rooms.settings import RoomSettings
from sessions.settings import StoreSettings


class TokenserverSettings(StoreSettings, RoomSettings):
    """Everything the token server reads from its environment."""

    tokenserver_host: str = Field("127.0.0.1", description="Address to listen on.")
    tokenserver_port: int = Field(8080, ge=0, le=65_535, description="Port to listen on.")
    admin_api_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="Bearer key that sees and stops every session; unset means nobody does.",
    )
    token_ttl_s: int = Field(
        120, ge=5, le=3600, description="How long a token may be used to join; talks last longer."
    )
    cors_origins: list[str] = Field(
        [], description="Other origins whose pages may call the API, as a JSON list."
    )
    sweep_interval_s: float = Field(
        2.0, gt=0, le=60, description="How often lapsed leases are looked for."
    )
    log_level: str = Field(
        "INFO",
        pattern=r"^(?i:debug|info|warning|error)$",
        description="Lowest level that is logged.",
    )
