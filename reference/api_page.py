"""docs/api-reference.md: every call and every body, made of the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from reference.markdown import anchor, code, fenced, folded, heading, link, paragraphs, table, words
from tokenserver.app import OPERATIONS
from tokenserver.contract.codes import CODES
from tokenserver.contract.commands import commands_of
from tokenserver.contract.examples import Examples, Schema, about, name_of
from tokenserver.contract.kinds import Form, kind_in
from tokenserver.contract.openapi import document
from tokenserver.http.operation import Operation

Described = Mapping[str, Any]
Named = tuple[Operation, Described]
Blocks = Iterator[list[str]]

_INTRODUCTION = (
    "<!-- Written by `python -m reference` from the API itself: change that, and run it again. -->",
    "",
    "Every call with its parameters, bodies, answers and errors; [api.md](api.md) is the guide. A "
    "running server has the same as a page, `/api/docs`, and for programs, `/api/openapi.json`.",
    "",
    "In the examples, `$API` is the address of your token server. Who may call, and what proves "
    "it, is in [the guide](api.md#who); every answer has an `X-Request-ID`, and counted ones say "
    "in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` what is left of the limit. "
    "What is refused has the body [`Refusal`](#refusal), with one of the codes that are listed "
    "([what they mean](#error-codes)).",
)

_MARKDOWN = Form(
    plain=str, code=code, schema=lambda name: link(code(name), f"#{anchor(name)}"), aside=str
)
_RATE_HEADERS = "RateLimit-"
#: Said of every answer, so not again with each.
_EVERYWHERE = ("X-Request-ID", "Cache-Control")


def api_page() -> str:
    """Return the page."""
    contract = document(OPERATIONS)
    examples = Examples(contract["components"]["schemas"])
    operations = _in_groups(contract)
    return paragraphs(
        [heading(1, "API reference")],
        _INTRODUCTION,
        [words(contract["info"]["description"])],
        *_calls(operations, examples),
        [heading(2, "Error codes")],
        table(("Code", "Status", "What it means"), _codes()),
        [heading(2, "Proofs")],
        _proofs(contract["components"]["securitySchemes"]),
        [heading(2, "Bodies")],
        *_bodies(operations, examples, contract["components"]["schemas"]),
    )


def _in_groups(contract: Mapping[str, Any]) -> list[Named]:
    """Return the operations with what the document says of them, those of one group together."""
    listed = [
        (operation, contract["paths"][operation.path][operation.method.lower()])
        for operation in OPERATIONS
    ]
    tags = list(dict.fromkeys(_group(named) for named in listed))
    return sorted(listed, key=lambda named: tags.index(_group(named)))


def _group(named: Named) -> str:
    return str(named[1]["tags"][0])


def _calls(operations: list[Named], examples: Examples) -> Blocks:
    for title, group in groupby(operations, _group):
        yield [heading(2, title)]
        for operation, described in group:
            yield from _call(operation, described, examples)


def _call(operation: Operation, described: Described, examples: Examples) -> Blocks:
    yield [heading(3, described["summary"])]
    yield [
        f"**{code(f'{operation.method} {operation.path}')}** · "
        f"Who: {link(operation.access.name, 'api.md#who')} · Proof: {_proof(described)} · "
        f"Limit: {words(described['x-limit'])}"
    ]
    yield [words(described["description"])]
    yield from _asked(described, examples)
    if commands := list(commands_of(operation.method, operation.path, described, examples)):
        yield fenced("\n\n".join(commands), "sh")
    yield table(("Status", "Answer"), map(_answer, described["responses"].items()))
    yield from _exemplified(described, examples)


def _proof(described: Described) -> str:
    names = [link(code(name), "#proofs") for proof in described["security"] for name in proof]
    is_free = not names or {} in described["security"]
    return " or ".join([*names, *(["none"] if is_free else [])])


def _asked(described: Described, examples: Examples) -> Blocks:
    if parameters := described.get("parameters"):
        yield table(
            ("Parameter", "In", "Type", "Meaning"),
            (
                (code(one["name"]), one["in"], _kind(one["schema"]), words(one["description"]))
                for one in parameters
            ),
        )
    for form in _forms(described, examples):
        yield [f"{code(name_of(form))}: {words(about(examples.resolved(form)))}"]
        yield _fields(examples.resolved(form))


def _forms(described: Described, examples: Examples) -> Iterator[Schema]:
    """Yield each form that the body of a call may have."""
    for content in described.get("requestBody", {}).get("content", {}).values():
        yield from examples.forms(content["schema"])


def _answer(answer: tuple[str, Described]) -> Iterator[str]:
    status, described = answer
    kinds = [
        _kind(content["schema"]) if media_type == "application/json" else code(media_type)
        for media_type, content in described.get("content", {}).items()
    ]
    is_refusal = "`" in described["description"]
    headers = [
        code(name)
        for name in described.get("headers", {})
        if name not in _EVERYWHERE and not name.startswith(_RATE_HEADERS)
    ]
    yield code(status)
    yield "".join(
        [
            words(described["description"]),
            f": {', '.join(kinds)}" if kinds and not is_refusal else "",
            f"; with {', '.join(headers)}" if headers else "",
        ]
    )


def _exemplified(described: Described, examples: Examples) -> Blocks:
    """Yield an example of the first answer, if it is of ours."""
    status, first = next(iter(described["responses"].items()))
    content = first.get("content", {}).get("application/json", {}).get("schema", {})
    if name_of(content):
        text = json.dumps(examples.of(content), ensure_ascii=False, indent=2)
        yield folded(f"Example of a {status}", fenced(text, "json"))


def _codes() -> Iterator[tuple[str, str, str]]:
    for name, (status, meaning) in CODES.items():
        yield code(name), code(str(int(status))), words(meaning)


def _proofs(proofs: Mapping[str, Described]) -> list[str]:
    rows = ((code(name), words(proof["description"])) for name, proof in proofs.items())
    return table(("Name", "What it is"), rows)


def _bodies(
    operations: Iterable[Named], examples: Examples, schemas: Mapping[str, Schema]
) -> Blocks:
    """Yield all schemas but those that stand with their call."""
    shown = {name_of(form) for _, described in operations for form in _forms(described, examples)}
    for name, schema in schemas.items():
        if name in shown or "oneOf" in schema:
            continue
        yield [heading(3, code(name))]
        yield [words(about(schema))] if about(schema) else []
        yield _fields(schema)


def _fields(schema: Schema) -> list[str]:
    """Return the fields of an object as a table; of anything else, what it may be."""
    if "properties" not in schema:
        return [_kind(schema)]
    required = schema.get("required", ())
    return table(
        ("Field", "Type", "Meaning"),
        (
            (
                code(name) + ("" if name in required else ", optional"),
                _kind(field, has_default=name not in required),
                words(field.get("description", "")),
            )
            for name, field in schema["properties"].items()
        ),
    )


def _kind(schema: Schema, *, has_default: bool = True) -> str:
    """Return the type of a value in words, with what it is when it is left out."""
    kind = kind_in(_MARKDOWN, schema)
    default = schema.get("default")
    if not has_default or default in (None, "", [], {}):
        return kind
    return f"{kind}; {code(json.dumps(default))} by default"
