"""What makes a persona."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sessions.ids import PERSONA_PATTERN

_Sentence = Annotated[str, Field(max_length=500)]


class Persona(BaseModel):
    """One persona, as its file says. What is None is left to the worker's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    #: That of its file, without the ending.
    name: Annotated[str, Field(pattern=PERSONA_PATTERN)]
    #: What the model is told to be.
    instructions: Annotated[str, Field(min_length=1, max_length=20_000)]
    #: The first words; with none, the user speaks first.
    greeting: Annotated[str, Field(max_length=1000)] = ""
    voice: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    #: What the user speaks, as ISO 639-1.
    language: Annotated[str, Field(min_length=2, max_length=10)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    #: The names of the functions it may call; None is all there are.
    tools: Annotated[list[str], Field(max_length=100)] | None = None
    #: Said to a user who has been silent for a while.
    away: _Sentence = "Are you still there?"
    #: Said a while before the longest time of a call is over.
    time_warning: _Sentence = "I am sorry, but we have to come to an end soon."
    #: Said by an agent that takes over from one that was lost; None is RESUME_GREETING.
    back: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    #: Said when an answer fails; None is APOLOGY.
    apology: Annotated[str, Field(max_length=1000)] | None = None
    #: The last words where the agent ends the call by itself.
    goodbye: _Sentence = "Goodbye!"
