"""What an expression of Prometheus asks for, by name; as much of the language as ours need."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|[a-zA-Z_:][\w:]*|\d[\w.]*|\S')
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_NAME = re.compile(r"[a-zA-Z_:][\w:]*")
_GROUPING = frozenset({"by", "without", "on", "ignoring"})
_OPERATORS = frozenset({"and", "or", "unless", "bool", "offset"})


@dataclass(frozen=True, slots=True)
class Matcher:
    """`label operator "text"`."""

    label: str
    operator: str
    text: str

    @property
    def values(self) -> frozenset[str]:
        """What it names outright; nothing for a pattern."""
        if self.operator in {"=", "!="}:
            return frozenset({self.text})
        one_of = self.text.split("|")
        return (
            frozenset(one_of) if all(re.fullmatch(r"\w+", one) for one in one_of) else frozenset()
        )


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric, or what was recorded, and which of its series."""

    name: str
    matchers: tuple[Matcher, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """All that an expression names."""

    selectors: tuple[Selector, ...]
    #: Labels of `by (…)` and the like.
    groupings: frozenset[str]
    #: Labels of the result, where its outermost step says so: `sum by (le) (…)`.
    keeps: frozenset[str] | None


def read_query(expr: str) -> Query:
    """Return what an expression names. Raises ValueError for a selector that is not understood."""
    tokens = _TOKEN.findall(expr)
    selectors: list[Selector] = []
    groupings: set[str] = set()
    outermost: frozenset[str] | None = frozenset() if tokens[1:2] == ["("] else None
    place = 0
    while place < len(tokens):
        token, following = tokens[place], tokens[place + 1 : place + 2]
        place += 1
        if token in _GROUPING:
            end = tokens.index(")", place)
            labels = {one for one in tokens[place:end] if _NAME.fullmatch(one)}
            groupings |= labels
            if token == "by" and place == 2:
                outermost = frozenset(labels)
            place = end + 1
        elif _NAME.fullmatch(token) and token not in _OPERATORS and following != ["("]:
            if following and following[0] in _GROUPING:  # sum by (…) (…)
                continue
            has_matchers = bool(following) and following[0].startswith("{")
            matchers = read_matchers(following[0]) if has_matchers else ()
            selectors.append(Selector(token, matchers))
    return Query(tuple(selectors), frozenset(groupings), outermost)


def read_series(text: str) -> Selector:
    """Return what `name{label="value"}` says."""
    found = re.fullmatch(r"([\w:]+)(\{.*\})?", text)
    if found is None:
        raise ValueError(f"no series: {text}")
    return Selector(found[1], read_matchers(found[2] or "{}"))


def read_matchers(text: str) -> tuple[Matcher, ...]:
    """Return what stands in braces. Raises ValueError where something is left over."""
    if re.sub(r"[\s,]", "", _MATCHER.sub("", text)) != "{}":
        raise ValueError(f"not understood: {text}")
    return tuple(Matcher(*found) for found in _MATCHER.findall(text))
