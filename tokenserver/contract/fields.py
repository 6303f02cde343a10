"""Schemas as HTML: the fields of an object as a table, and what each may be."""

from __future__ import annotations

from html import escape

from tokenserver.contract.examples import Schema
from tokenserver.contract.kinds import Form, kind_in
from tokenserver.contract.markup import code, link, marked, table, tag

_HTML = Form(
    plain=escape,
    code=code,
    schema=lambda name: link(f"schema-{name}", code(name)),
    aside=lambda words: tag("span", words, look="kind") if words else "",
)


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
    return kind_in(_HTML, schema)
