"""Which personas a session may have. Their files are the worker's; here they are names."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from sessions.ids import PERSONA_PATTERN


class PersonaSettings(BaseSettings):
    """What the token server, which checks a choice, and the worker, which has the files, share."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    persona: str = Field(
        "assistant",
        pattern=PERSONA_PATTERN,
        description="Who speaks where a start names nobody: a file of `PERSONAS_DIR`, without its "
        "ending.",
    )
    personas: list[Annotated[str, Field(pattern=PERSONA_PATTERN)]] = Field(
        [],
        max_length=100,
        description="Whom a start may name besides, as a JSON list. A worker without their files "
        "does not start.",
    )

    @property
    def persona_choice(self) -> frozenset[str]:
        """Whom a start may name."""
        return frozenset({self.persona, *self.personas})
