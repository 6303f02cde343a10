"""The contract as a page to read. It needs no script, no network and nothing but itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #0a7d5a; }
@media (prefers-color-scheme: dark) { :root { --accent: #4ad6a6; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1.5rem; }
h1 { margin: 1rem 0 .25rem; }
h2 { margin: 0; font-size: 1.05rem; overflow-wrap: anywhere; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
ul { columns: 2; padding-left: 1.2rem; }
a, .verb { color: var(--accent); }
p { margin: .5rem 0; }
section { border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
td { vertical-align: top; padding: .3rem .6rem .3rem 0; border-top: 1px solid var(--soft); }
pre { background: var(--soft); padding: .7rem; border-radius: .4rem; overflow-x: auto; }
summary { cursor: pointer; }
@media (max-width: 40rem) { ul { columns: 1; } }
"""

#: The page's own policy: its style, and nothing else.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def page(document: Mapping[str, Any]) -> str:
    """Return an OpenAPI document as HTML."""
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    info, schemas = document["info"], document["components"]["schemas"]
    title = f"{info['title']} API"
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        + _tag("title", escape(title))
        + _tag("style", _STYLE)
    )
    link = '<a href="/api/openapi.json">openapi.json</a>'
    listed = (
        _link(operation["operationId"], f"{method} {path}")
        for method, path, operation in operations
    )
    body = (
        _tag("h1", escape(f"{title} {info['version']}")),
        _tag("p", escape(info["description"]), " For programs: ", link, "."),
        _tag("nav", _tag("ul", *(_tag("li", entry) for entry in listed))),
        *(_operation(*operation) for operation in operations),
        _tag("h1", "Bodies"),
        *(_schema(name, schema) for name, schema in schemas.items()),
    )
    return f'<!doctype html><html lang="en">{_tag("head", head)}{_tag("body", *body)}</html>'


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    proofs = [next(iter(proof), "nothing") for proof in operation["security"]] or ["nothing"]
    parts = [
        f'<h2><span class="verb">{method}</span> {_tag("code", escape(path))}</h2>',
        _tag(
            "p",
            _tag("strong", escape(operation["summary"])),
            ". ",
            _marked(operation["description"]),
        ),
        _tag("p", "Proof: ", _marked(" or ".join(f"`{proof}`" for proof in proofs))),
    ]
    if "requestBody" in operation:
        parts.append(_tag("p", "Body: ", _content(operation["requestBody"])))
    if parameters := operation.get("parameters"):
        parts.append(_table(map(_parameter, parameters)))
    answers = operation["responses"].items()
    parts.append(_table(_response(status, response) for status, response in answers))
    return _tag("section", *parts, id=operation["operationId"])


def _parameter(parameter: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"{_tag('code', escape(parameter['name']))} {_tag('small', parameter['in'])}",
        escape(parameter.get("description", "")),
        _tag("code", escape(_short(parameter["schema"]))),
    )


def _response(status: str, response: Mapping[str, Any]) -> tuple[str, ...]:
    return _tag("code", status), _marked(response["description"]), _content(response)


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    title = _tag("code", escape(name)) + " " + _marked(schema.get("description", ""))
    text = _tag("pre", escape(json.dumps(schema, indent=2)))
    return _tag("section", _tag("details", _tag("summary", title), text), id=f"schema-{name}")


def _content(holder: Mapping[str, Any]) -> str:
    found = []
    for media_type, content in holder.get("content", {}).items():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        found.append(_link(f"schema-{name}", name) if name else _tag("code", escape(media_type)))
    return ", ".join(found)


def _short(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(_short(choice) for choice in schema["anyOf"])
    return " | ".join(map(str, schema.get("enum", ()))) or str(schema.get("type", ""))


def _marked(text: str) -> str:
    """Escape a text, and set what stands between backticks as code."""
    parts = escape(text).split("`")
    return "".join(_tag("code", part) if place % 2 else part for place, part in enumerate(parts))


def _table(rows: Iterable[Iterable[str]]) -> str:
    return _tag("table", *(_tag("tr", *(_tag("td", cell) for cell in row)) for row in rows))


def _link(target: str, text: str) -> str:
    return f'<a href="#{escape(target)}">{_tag("code", escape(text))}</a>'


def _tag(name: str, *content: str, id: str = "") -> str:  # noqa: A002 - HTML's name
    """Return an element; its content is HTML already."""
    attribute = f' id="{escape(id)}"' if id else ""
    return f"<{name}{attribute}>{''.join(content)}</{name}>"
