"""Read `.env`, by the rules of python-dotenv. Standard library only: `bootstrap` needs it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_]\w*)[ \t]*=[ \t]*
    (?:'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<plain>[^\n]*?))
    [ \t]*(?:[ \t]\#[^\n]*)?$""",
    re.MULTILINE | re.VERBOSE | re.DOTALL,
)
_REFERENCE = re.compile(r"\$\{(?P<name>[^}:]*)(?::-(?P<default>[^}]*))?\}")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def parse_dotenv(text: str, env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a file; `${NAME}` is one of them, or one of `env`."""
    found: dict[str, str] = {}
    for line in _LINE.finditer(text):
        found[line["name"]] = _resolve(_value(line), {**env, **found})
    return found


def _resolve(value: str, known: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda one: known.get(one["name"], one["default"] or ""), value)


def _value(line: re.Match[str]) -> str:
    if line["single"] is not None:
        return re.sub(r"\\([\\'])", r"\1", line["single"])
    if line["double"] is not None:
        return re.sub(
            r"""\\([\\'"ntr])""", lambda one: _ESCAPES.get(one[1], one[1]), line["double"]
        )
    return line["plain"] or ""
