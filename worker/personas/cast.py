"""The personas as this worker plays them: the files, with the settings that win over them.

A persona becomes a copy of the settings, with its own voice, language, words: whatever is built
from settings is built for a persona in the same way.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

from worker.errors import Unusable
from worker.personas.files import read_personas
from worker.personas.persona import Persona
from worker.settings import WorkerSettings
from worker.voice.settings import Mode

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One persona, ready to be played."""

    persona: Persona
    #: The worker's, with what this persona changes.
    settings: WorkerSettings

    @property
    def name(self) -> str:
        """The persona's name."""
        return self.persona.name

    @property
    def instructions(self) -> str:
        """What the model is told to be."""
        return self.settings.agent_instructions or ""

    @property
    def greeting(self) -> str:
        """The first words, or "" where the user speaks first."""
        return self.settings.agent_greeting or ""

    @property
    def clips(self) -> list[str]:
        """What is spoken beforehand, the first words first."""
        texts = (self.greeting, self.settings.resume_greeting, self.settings.apology)
        return [text for text in texts if text]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """All roles of a worker. Travels to its job processes, so that all of them agree."""

    roles: Mapping[str, Role]
    default: Role

    def role(self, name: str | None) -> Role:
        """Return a role; the default one for a name that is not known here."""
        if name is None:
            return self.default
        role = self.roles.get(name)
        if role is None:
            logger.warning("unknown persona", extra={"persona": name, "instead": self.default.name})
        return role or self.default

    @classmethod
    def of(cls, settings: WorkerSettings, tools: Collection[str]) -> Self:
        """Read the personas of a worker; `tools` are the functions it has.

        Raises Unusable with a line for each mistake.
        """
        personas = read_personas(settings.personas_dir, tools)
        if problems := [*_missing(settings, personas)]:
            raise Unusable(*problems)
        roles = {
            name: Role(persona=persona, settings=_settings_of(persona, settings))
            for name, persona in personas.items()
        }
        return cls(roles=roles, default=roles[settings.persona])


def _missing(settings: WorkerSettings, personas: Collection[str]) -> list[str]:
    there = ", ".join(sorted(personas)) or "none"
    named = [("PERSONA", settings.persona), *(("PERSONAS", name) for name in settings.personas)]
    return [
        f"{variable}: {settings.personas_dir} has no persona {name!r}; there are {there}; "
        f"set {variable} to what is there"
        for variable, name in named
        if name not in personas
    ]


def _settings_of(persona: Persona, settings: WorkerSettings) -> WorkerSettings:
    """Return the settings for one persona.

    Of the default persona, a variable that is set wins over the file. Of the others the file wins,
    and the settings say what it leaves open: voice, language and temperature.
    """
    told = settings.model_fields_set if persona.name == settings.persona else frozenset[str]()
    is_realtime = settings.voice_mode is Mode.REALTIME
    of_file = {
        "agent_instructions": persona.instructions,
        "agent_greeting": persona.greeting,
        "resume_greeting": persona.back,
        "apology": persona.apology,
        # A voice of the one is none of the other.
        "realtime_voice" if is_realtime else "tts_voice": persona.voice,
        "stt_language": persona.language,
        "llm_temperature": persona.temperature,
    }
    changes = {
        name: value for name, value in of_file.items() if value is not None and name not in told
    }
    if persona.name == settings.persona and not settings.agent_greets_first:
        changes["agent_greeting"] = ""
    return settings.model_copy(update=changes)
