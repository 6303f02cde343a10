"""What a worker can be told about its personas, its tools, and how long a call may be."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from sessions.personas import PersonaSettings

#: The personas that come with the package.
SHIPPED = Path(__file__).with_name("shipped")


class ConversationSettings(PersonaSettings):
    """Settings of what is said, by whom, and for how long."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    personas_dir: Path = Field(
        default_factory=lambda: SHIPPED,
        description="Folder of the personas, each a TOML or YAML file; those that come with it "
        "when unset.",
    )
    agent_instructions: str | None = Field(
        None,
        min_length=1,
        max_length=20_000,
        description="What the agent is told to be, instead of what the default persona's file "
        "says.",
    )
    agent_greets_first: bool = Field(
        True, description="Whether the default persona speaks first; if not, the user does."
    )
    agent_greeting: str | None = Field(
        None,
        max_length=1000,
        description="What the agent says first, instead of what the default persona's file says.",
    )
    resume_greeting: str = Field(
        "Sorry, I'm back.",
        min_length=1,
        max_length=500,
        description="What an agent says first that takes over from one that was lost, where its "
        "persona's file says nothing else.",
    )
    tools_dir: Path | None = Field(
        None, description="Folder of Python files whose functions the model may call, too."
    )
    tool_timeout_s: float = Field(
        10.0, gt=0, le=300, description="How long one call of a tool may take."
    )
    user_away_after_s: float = Field(
        60.0,
        ge=0,
        le=3600,
        description="After so much silence the agent asks whether the user is still there, and "
        "after as much again it ends the call; 0: never.",
    )
    user_grace_s: float = Field(
        10.0,
        ge=0,
        le=600,
        description="How long a user who left may stay away before the session ends. Less than "
        "`ROOM_DEPARTURE_TIMEOUT_S`, after which the room is gone.",
    )
    max_call_s: float = Field(
        3600.0, ge=0, le=86_400, description="How long a call may last; 0: for ever."
    )
    call_warning_s: float = Field(
        60.0,
        ge=0,
        le=3600,
        description="How long before that the agent says that the time is nearly up; 0: not at "
        "all.",
    )

    @field_validator("personas_dir", "tools_dir")
    @classmethod
    def _expand_dirs(cls, path: Path | None) -> Path | None:
        # What a shell does for a path on its command line, nobody does for one in a file.
        return None if path is None else path.expanduser()

    @model_validator(mode="after")
    def _check_warning(self) -> Self:
        if 0 < self.max_call_s <= self.call_warning_s:
            raise ValueError("CALL_WARNING_S must be less than MAX_CALL_S")
        return self
