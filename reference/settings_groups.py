"""In which order and under which titles the docs and `.env.example` have the settings."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from localvoice.settings import Settings as LocalvoiceSettings
from notices.settings import NoticeSettings
from rooms.settings import RoomSettings
from sessions.personas import PersonaSettings
from sessions.settings import StoreSettings
from supervisor.scale_settings import ScaleSettings
from supervisor.settings import ProcessSettings, SupervisorSettings
from telemetry.settings import TracingSettings
from tokenserver.access.settings import AccessSettings
from tokenserver.settings import TokenserverSettings
from worker.personas.settings import ConversationSettings
from worker.settings import WorkerSettings
from worker.voice.settings import ProviderSettings

Kind = type[BaseSettings]


class Unsorted(Exception):
    """Raised when a setting is in no group, so that no page would have it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Settings that are shown together."""

    title: str
    #: Classes whose own settings these are, in the order in which they are declared there.
    kinds: tuple[Kind, ...]
    #: Settings that several classes declare for themselves, and that belong here.
    names: tuple[str, ...] = ()


#: A setting stands in the first group that has it.
GROUPS = (
    Group("Sessions and Redis", (StoreSettings,)),
    Group("LiveKit and its rooms", (RoomSettings,)),
    Group("Token server", (TokenserverSettings,)),
    Group("Who may call, and how often", (AccessSettings,)),
    Group("Supervision", (SupervisorSettings, ProcessSettings)),
    Group("How many workers are wanted", (ScaleSettings,)),
    Group("Alerts and events", (NoticeSettings,)),
    Group("Logs and traces", (TracingSettings,), ("log_level",)),
    Group("Worker", (WorkerSettings,)),
    Group("Conversations", (PersonaSettings, ConversationSettings)),
    Group("Models", (ProviderSettings,)),
)
#: Those of localvoice, which is configured by itself (docs/localvoice.md).
LOCALVOICE = Group("localvoice", (LocalvoiceSettings,))

#: Who reads a variable; what both read is listed once.
READERS: Mapping[str, Kind] = {"token server": TokenserverSettings, "worker": WorkerSettings}
#: All of them. What a supervisor by itself declares anew is described where it comes from.
FIELDS: Mapping[str, FieldInfo] = (
    ProcessSettings.model_fields | WorkerSettings.model_fields | TokenserverSettings.model_fields
)


def grouped(
    groups: tuple[Group, ...] = GROUPS, fields: Mapping[str, FieldInfo] = FIELDS
) -> dict[str, list[str]]:
    """Return the names of the settings by the title of their group. Raises `Unsorted`."""
    named = {name for group in groups for name in group.names}
    seen: set[str] = set()
    found: dict[str, list[str]] = {}
    for group in groups:
        own = (name for name in _declared(group) if name not in named)
        found[group.title] = [name for name in (*group.names, *own) if name not in seen]
        seen.update(found[group.title])
    if missing := sorted(fields.keys() - seen):
        raise Unsorted(
            f"no group has {', '.join(missing)}: name their class in GROUPS "
            "(reference/settings_groups.py)"
        )
    return found


def readers_of(name: str) -> str:
    """Return who reads a setting, as the page says it."""
    readers = [reader for reader, kind in READERS.items() if name in kind.model_fields]
    # A supervisor by itself reads what a token server reads for its own, and a little more.
    return "both" if len(readers) == len(READERS) else "".join(readers) or "supervisor"


def _declared(group: Group) -> Iterator[str]:
    """Yield the settings that the classes of a group declare themselves, without inherited ones."""
    for kind in group.kinds:
        declared = inspect.get_annotations(kind)
        yield from (name for name in kind.model_fields if name in declared)
