"""The contract as a page to read. It needs no script, no network and nothing but itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from tokenserver.contract.codes import CODES
from tokenserver.contract.commands import commands_of
from tokenserver.contract.examples import Examples, Schema, about
from tokenserver.contract.fields import kind_of, table_of
from tokenserver.contract.markup import code, link, marked, table, tag, verb

_STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")

#: The page's own policy: its style, its empty icon, and nothing else.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

#: Said of every answer, so not again with each.
_EVERYWHERE = ("X-Request-ID", "Cache-Control")

Operation = Mapping[str, Any]
Named = tuple[str, str, Operation]


def page(document: Mapping[str, Any]) -> str:
    """Return an OpenAPI document as HTML."""
    operations = _operations(document)
    title = f"{document['info']['title']} API"
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        # Else a browser asks for /favicon.ico.
        '<link rel="icon" href="data:,">' + tag("title", escape(title)) + tag("style", _STYLE)
    )
    body = (
        '<div class="page">'
        + tag("header", *_introduction(document["info"]))
        + tag("nav", *_contents(operations))
        + tag("main", *_main(document, operations))
        + "</div>"
    )
    return f'<!doctype html><html lang="en">{tag("head", head)}{tag("body", body)}</html>'


def _operations(document: Mapping[str, Any]) -> list[Named]:
    """Return method, path and operation, those of one group together."""
    listed = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    tags = list(dict.fromkeys(_group(one) for one in listed))
    return sorted(listed, key=lambda one: tags.index(_group(one)))


def _group(named: Named) -> str:
    return str(named[2]["tags"][0])


def _contents(operations: list[Named]) -> Iterator[str]:
    """Yield the list of calls."""
    for name, group in groupby(operations, _group):
        yield tag("h2", escape(name))
        yield tag(
            "ul",
            *(
                tag("li", link(one["operationId"], verb(method) + _breakable(path)))
                for method, path, one in group
            ),
        )
    yield tag("h2", "More")
    more = {"codes": "Error codes", "proofs": "Proofs", "bodies": "Bodies"}
    yield tag("ul", *(tag("li", link(target, title)) for target, title in more.items()))


def _breakable(path: str) -> str:
    """Return a path that a narrow column breaks at its slashes only."""
    return tag("code", escape(path).replace("/", "/<wbr>"))


def _introduction(info: Mapping[str, Any]) -> Iterator[str]:
    yield tag("h1", escape(info["title"]), " API ", tag("small", escape(info["version"])))
    yield tag("p", marked(info["description"]))
    yield tag("p", 'For programs: <a href="/api/openapi.json">openapi.json</a>, OpenAPI 3.1.')
    yield tag("p", "In the examples, ", code("$API"), " is the address that this page has.")


def _main(document: Mapping[str, Any], operations: list[Named]) -> Iterator[str]:
    components = document["components"]
    examples = Examples(components["schemas"])
    for name, group in groupby(operations, _group):
        yield tag("h2", escape(name), look="group")
        yield from (_section(named, examples) for named in group)
    yield tag("h2", "Error codes", look="group", anchor="codes")
    codes = CODES.items()
    yield table((code(name), code(f"{status:d}"), marked(text)) for name, (status, text) in codes)
    yield tag("h2", "Proofs", look="group", anchor="proofs")
    proofs = components["securitySchemes"].items()
    yield table((code(name), marked(proof["description"])) for name, proof in proofs)
    yield tag("h2", "Bodies", look="group", anchor="bodies")
    yield from (_schema(name, schema) for name, schema in components["schemas"].items())


def _section(named: Named, examples: Examples) -> str:
    method, path, operation = named
    return tag(
        "section",
        tag("h3", escape(operation["summary"])),
        tag("p", verb(method), " ", code(path), look="call"),
        tag("p", marked(operation["description"])),
        tag("p", *_facts(operation), look="facts"),
        *_asked(operation, examples),
        *_exemplified(commands_of(*named, examples)),
        *_answered(operation, examples),
        anchor=operation["operationId"],
    )


def _facts(operation: Operation) -> Iterator[str]:
    proofs = [link("proofs", code(name)) for proof in operation["security"] for name in proof]
    is_free = not proofs or {} in operation["security"]
    yield "Proof: " + " or ".join([*proofs, *(["none"] if is_free else [])])
    yield ". Limit: " + marked(operation["x-limit"])


def _asked(operation: Operation, examples: Examples) -> Iterator[str]:
    if parameters := operation.get("parameters"):
        yield tag("h4", "Parameters")
        yield table(
            (
                f"{code(one['name'])} {tag('span', one['in'], look='kind')}",
                kind_of(one["schema"]),
                marked(one.get("description", "")),
            )
            for one in parameters
        )
    if body := operation.get("requestBody"):
        yield tag("h4", "Body" if body["required"] else "Body, may be absent")
        for content in body["content"].values():
            for choice in examples.forms(content["schema"]):
                yield tag("p", kind_of(choice), ": ", marked(about(examples.resolved(choice))))
                yield table_of(examples.resolved(choice))


def _answered(operation: Operation, examples: Examples) -> Iterator[str]:
    yield tag("h4", "Answers")
    yield table(
        (
            (
                tag("code", status, look="bad" if status >= "400" else ""),
                marked(response["description"]) + _headers(response),
                _contents_of(response),
            )
            for status, response in operation["responses"].items()
        ),
        look="answers",
    )
    status, first = next(iter(operation["responses"].items()))
    content = first.get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in content:
        shown = tag("pre", escape(_text(examples.of(content))))
        yield tag("details", tag("summary", f"Example of a {status}"), shown)


def _contents_of(response: Mapping[str, Any]) -> str:
    contents = response.get("content", {})
    return ", ".join(
        kind_of(content["schema"]) if media_type == "application/json" else code(media_type)
        for media_type, content in contents.items()
    )


def _headers(response: Mapping[str, Any]) -> str:
    """Name the headers that not every answer has."""
    names = [name for name in response.get("headers", {}) if name not in _EVERYWHERE]
    named = [name for name in names if not name.startswith("RateLimit-")]
    return tag("div", ", ".join(map(escape, named)), look="kind") if named else ""


def _exemplified(commands: Iterable[str]) -> Iterator[str]:
    shown = [tag("pre", escape(command)) for command in commands]
    yield from [tag("h4", "Example"), *shown] if shown else []


def _schema(name: str, schema: Schema) -> str:
    return tag(
        "section",
        tag("h3", code(name)),
        tag("p", marked(about(schema))),
        table_of(schema),
        anchor=f"schema-{name}",
    )


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
