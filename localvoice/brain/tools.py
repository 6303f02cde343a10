"""The tools a request lists, and how their arguments are filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from localvoice.brain import numbers

#: Words in tool names that say nothing about what the tool is for.
_VERBS = frozenset(
    {
        "get", "set", "fetch", "find", "look", "lookup", "up", "check", "query", "tool", "current",
        "the", "a", "an", "for", "of", "to", "by", "in", "on", "do", "run", "call", "make", "show",
        "read", "tell", "give", "function", "handle", "my", "user", "is",
    }
)  # fmt: skip
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_PREPOSITION = re.compile(r"\b(?:in|at|for|near|from|of|to)\s+", re.IGNORECASE)
_NAME = re.compile(r"[\w' -]{2,60}")
_TRAILING = re.compile(r"\s+(?:right now|now|today|tomorrow|please|like)$")


#: A name is looked for in this much of the end of a turn. Characters.
_PLACE_WITHIN_CHARS = 160


class Unfillable(Exception):
    """Raised when a turn does not say what a required parameter needs."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a tool, from its JSON schema."""

    name: str
    schema: Mapping[str, Any]
    required: bool

    @cached_property
    def kinds(self) -> frozenset[str]:
        """JSON types the parameter takes; strict schemas write optional as "or null"."""
        found: set[str] = set()
        for schema in (self.schema, *_objects(self.schema.get("anyOf"))):
            kinds = schema.get("type")
            listed = kinds if isinstance(kinds, list) else [kinds]
            found.update(kind for kind in listed if isinstance(kind, str))
        return frozenset(found)

    @cached_property
    def choices(self) -> tuple[Any, ...]:
        """Values an enum allows; empty when any value will do."""
        for schema in (self.schema, *_objects(self.schema.get("anyOf"))):
            if isinstance(schema.get("enum"), list):
                return tuple(schema["enum"])
        return ()

    @cached_property
    def about(self) -> str:
        """Name and description, lower case, for matching."""
        return f"{self.name} {self.schema.get('description') or ''}".lower()


@dataclass(frozen=True)
class Tool:
    """A function the request lets us call."""

    name: str
    description: str
    schema: Mapping[str, Any]

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters in the order of the schema."""
        properties = self.schema.get("properties")
        required = self.schema.get("required")
        names = required if isinstance(required, list) else []
        if not isinstance(properties, Mapping):
            return ()
        return tuple(
            Parameter(str(name), schema if isinstance(schema, Mapping) else {}, name in names)
            for name, schema in properties.items()
        )

    @cached_property
    def keywords(self) -> frozenset[str]:
        """The words of its name that say what it is about, singular."""
        words = (word.lower() for word in _WORD.findall(self.name))
        return frozenset(_singular(word) for word in words) - _VERBS

    @property
    def about(self) -> str:
        """Name and description, lower case, for matching."""
        return f"{self.name} {self.description}".lower().replace("_", " ")


def best_match(words: str, tools: Sequence[Tool]) -> Tool | None:
    """The tool most of whose name was said, if that is at least half of it."""
    said = {_singular(word) for word in words.split()}
    best: tuple[float, Tool] | None = None
    for tool in tools:
        share = len(tool.keywords & said) / len(tool.keywords) if tool.keywords else 0.0
        if share >= 0.5 and (best is None or share > best[0]):
            best = (share, tool)
    return best[1] if best else None


def fill(tool: Tool, heard: str, *, forced: bool = False) -> dict[str, Any]:
    """Arguments for ``tool`` out of what was said.

    Raises Unfillable when a required one was not said, unless ``forced``: then the whole turn,
    a zero or the first choice stands in, because the request insists on a call.
    """
    arguments: dict[str, Any] = {}
    spare_numbers = numbers.find(heard.lower())
    for parameter in tool.parameters:
        value = _value(parameter, heard, spare_numbers)
        if value is not None:
            arguments[parameter.name] = value
        elif "null" in parameter.kinds:
            arguments[parameter.name] = None
        elif parameter.required and forced:
            arguments[parameter.name] = _stand_in(parameter, heard)
        elif parameter.required:
            raise Unfillable(parameter.name)
    return arguments


def _value(parameter: Parameter, heard: str, spare_numbers: list[Any]) -> Any | None:  # noqa: ANN401
    lower = heard.lower()
    if parameter.choices:
        said = [c for c in parameter.choices if isinstance(c, str) and c.lower() in lower]
        return max(said, key=len, default=None)
    if parameter.kinds & {"integer", "number"}:
        if not spare_numbers:
            return None
        number = spare_numbers.pop(0)
        return int(number) if number.denominator == 1 else float(number)
    if "string" in parameter.kinds:
        return _after_preposition(heard)
    return None


def _after_preposition(heard: str) -> str | None:
    """What "in New York" at the end of "What is the weather in New York today?" names."""
    text = heard.strip()[-_PLACE_WITHIN_CHARS:].rstrip("?!. ")
    while (shorter := _TRAILING.sub("", text)) != text:
        text = shorter
    place = None
    # The last preposition is the closest to the name: "the price of tea in China".
    for found in _PREPOSITION.finditer(text):
        rest = _NAME.fullmatch(text, found.end())
        place = rest.group().strip() if rest else place
    return place or None


def _stand_in(parameter: Parameter, heard: str) -> Any:  # noqa: ANN401
    if parameter.choices:
        return parameter.choices[0]
    for kind, value in (
        ("string", heard),
        ("integer", 0),
        ("number", 0),
        ("boolean", False),
        ("array", []),
        ("object", {}),
    ):
        if kind in parameter.kinds:
            return value
    return heard


def _objects(value: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _singular(word: str) -> str:
    word = word.strip("'.,")
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
