"""Where the store is and what it allows; the same for every service."""

from __future__ import annotations

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class StoreSettings(BaseSettings):
    """Settings of the session store, read from the environment."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="Where the sessions are kept; `rediss://` for TLS. May hold a password.",
    )
    redis_prefix: str = Field(
        "vf",
        pattern=r"^[A-Za-z0-9_-]{1,32}$",
        description="First part of every key, to share a Redis with others.",
    )
    max_sessions: int = Field(
        50,
        ge=1,
        le=100_000,
        description="How many sessions may hold a slot at the same time. No more than all workers "
        "together take (`WORKER_CAPACITY`): the rest would wait in vain.",
    )
    start_lease_s: float = Field(
        30.0, gt=0, le=600, description="How long a new session waits for an agent to claim it."
    )
    agent_lease_s: float = Field(
        8.0,
        gt=0,
        le=600,
        description="How long a session outlives the last heartbeat of its agent.",
    )
    history_ttl_s: int = Field(
        3600, ge=1, le=2_592_000, description="How long the record of an ended session is kept."
    )


def explain(service: str, error: ValidationError) -> str:
    """Say which variables are wrong or missing and why, without showing any value."""
    lines = [
        f"  {'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False)
    ]
    return "\n".join([f"{service} cannot start with these settings:", *lines, ""])
