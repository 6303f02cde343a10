"""What a value may be, in a few words: of a schema, as HTML or as Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tokenserver.contract.examples import Schema, name_of

#: Keywords of the least and the most of something, and what is counted.
_RANGES = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " entries"),
    ("minProperties", "maxProperties", " entries"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How the words are written down."""

    #: Of a text: the text, and the text as code.
    plain: Callable[[str], str]
    code: Callable[[str], str]
    #: Of the name of a schema: a link to it.
    schema: Callable[[str], str]
    #: Of something that is in this form already: the same, as less important.
    aside: Callable[[str], str]


def kind_in(form: Form, schema: Schema) -> str:
    """Return the type of a value in a few words, with its bounds."""
    if name := name_of(schema):
        return form.schema(name)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(kind_in(form, choice) for choice in schema[key])
    for values in (schema.get("enum", ()), [schema["const"]] if "const" in schema else ()):
        if values:
            return " ".join(form.code(json.dumps(value)) for value in values)
    return _kind_by_type(form, schema) + form.aside(_bounds(form, schema))


def _kind_by_type(form: Form, schema: Schema) -> str:
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return "list of " + kind_in(form, schema["items"])
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        return "object of " + kind_in(form, values)
    return form.plain(kind)


def _bounds(form: Form, schema: Schema) -> str:
    unlike = schema.get("not", {}).get("pattern", "")
    exception = f", but not {form.code(unlike)}" if unlike else ""
    if "pattern" in schema:
        return f" {form.code(schema['pattern'])}{exception}"
    for least, most, unit in _RANGES:
        if most in schema:
            return f", {schema.get(least, 0)} to {schema[most]}{unit}{exception}"
        if least in schema:
            return f", at least {schema[least]}{unit}{exception}"
    return exception
