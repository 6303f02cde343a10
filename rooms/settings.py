"""Where LiveKit is and which agent to send for."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class RoomSettings(BaseSettings):
    """Settings of the LiveKit connection, read from the environment."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    livekit_url: str = Field(
        "ws://127.0.0.1:7880",
        pattern=r"^(ws|http)s?://",
        description="LiveKit server as our own services reach it.",
    )
    livekit_public_url: str | None = Field(
        None,
        pattern=r"^(ws|http)s?://",
        description="LiveKit server as browsers reach it; `LIVEKIT_URL` when unset.",
    )
    livekit_api_key: str = Field(min_length=1, description="Key that LiveKit's config names.")
    livekit_api_secret: SecretStr = Field(
        min_length=32, description="Secret of that key; 32 characters or more."
    )
    livekit_previous_api_key: str | None = Field(
        None,
        min_length=1,
        description="The key before it, whose webhooks count too while you replace it.",
    )
    livekit_previous_api_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Secret of that earlier key; starts made with it can be repeated, too.",
    )
    livekit_timeout_s: float = Field(
        3.0, gt=0, le=30, description="Deadline of one call to the LiveKit server API."
    )
    livekit_breaker_failures: int = Field(
        3,
        ge=1,
        le=100,
        description="After so many failed calls in a row LiveKit is not called for a while: calls "
        "are refused at once.",
    )
    livekit_breaker_open_s: float = Field(
        5.0,
        gt=0,
        le=300,
        description="How long that lasts, and up to a fifth more; then one call tries it out.",
    )
    agent_name: str = Field(
        "voicefleet",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Name under which the workers register and are sent for. "
        "Fleets that share a LiveKit need one each.",
    )
    room_empty_timeout_s: int = Field(
        60, ge=1, le=3600, description="A room that its user never joins is closed after this."
    )
    room_departure_timeout_s: int = Field(
        20, ge=0, le=3600, description="How long a room waits for a user who left it."
    )

    @property
    def public_url(self) -> str:
        """What browsers connect to."""
        return self.livekit_public_url or self.livekit_url

    @model_validator(mode="after")
    def _check_previous_key(self) -> Self:
        if (self.livekit_previous_api_key is None) != (self.livekit_previous_api_secret is None):
            raise ValueError(
                "LIVEKIT_PREVIOUS_API_KEY and LIVEKIT_PREVIOUS_API_SECRET need each other"
            )
        return self
