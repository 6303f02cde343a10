"""Schemas in words: the fields of an object as a table, and what each may be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape

from tokenserver.contract.examples import Schema, name_of
from tokenserver.contract.markup import code, link, marked, table, tag


def table_of(schema: Schema) -> str:
    """Return the fields of an object as a table; of anything else, what it may be."""
    if "properties" not in schema:
        return tag("p", kind_of({key: schema[key] for key in schema if key != "title"}))
    required = schema.get("required", ())
    return table(
        (
            code(name) + ("" if name in required else tag("span", " optional", look="kind")),
            kind_of(field),
            marked(field.get("description", "")),
        )
        for name, field in schema["properties"].items()
    )


def kind_of(schema: Schema) -> str:
    """Return the type of a value in a few words, with links."""
    if name := name_of(schema):
        return link(f"schema-{name}", code(name))
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(kind_of(choice) for choice in schema[key])
    for values in (schema.get("enum", ()), [schema["const"]] if "const" in schema else ()):
        if values:
            return " ".join(code(json.dumps(value)) for value in values)
    return _kind_by_type(schema)


def _kind_by_type(schema: Schema) -> str:
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return "list of " + kind_of(schema["items"])
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        return "object of " + kind_of(values)
    return escape(kind) + tag("span", _bounds(schema), look="kind")


def _bounds(schema: Schema) -> str:
    least, most = (
        next((schema[key] for key in keys if key in schema), None)
        for keys in (("minimum", "minLength"), ("maximum", "maxLength"))
    )
    unit = " characters" if "maxLength" in schema or "minLength" in schema else ""
    if "pattern" in schema:
        return " " + code(schema["pattern"])
    if most is None:
        return "" if least is None else f", at least {least}{unit}"
    return f", {least or 0} to {most}{unit}"
