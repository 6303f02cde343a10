"""docs/api-reference.md has every call, and its links lead somewhere."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from reference.__main__ import ROOT
from reference.markdown import anchor, code, table, words
from tokenserver.app import OPERATIONS
from tokenserver.contract.codes import CODES
from tokenserver.contract.openapi import document
from tokenserver.http.operation import Operation

PAGE = (ROOT / "docs" / "api-reference.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EVERY = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}"
)


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    return document(OPERATIONS)


def anchors(text: str) -> list[str]:
    return [anchor(title) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]


def section(operation: Operation) -> str:
    """Return what the page says of one call."""
    title = f"### {operation.handler.contract.summary}\n"
    return PAGE.partition(title)[2].partition("\n### ")[0].partition("\n## ")[0]


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]*)#([^)]+)\)", PAGE)
    assert len(targets) > 100
    for page, target in targets:
        assert page in ("", "api.md")
        assert target in anchors(GUIDE if page else PAGE), target
    for target in re.findall(r"\]\(api-reference\.md#([^)]+)\)", GUIDE):
        assert target in anchors(PAGE), target


def test_no_heading_comes_twice() -> None:
    """GitHub numbers those that do, and links lead to the first."""
    assert sorted(set(anchors(PAGE))) == sorted(anchors(PAGE))


@EVERY
def test_a_call_has_all_that_the_contract_says(
    operation: Operation, contract: dict[str, Any]
) -> None:
    text = section(operation)
    described = contract["paths"][operation.path][operation.method.lower()]
    assert code(f"{operation.method} {operation.path}") in text
    assert f"Who: [{operation.access.name}](api.md#who)" in text
    assert described["x-limit"] in text
    assert described["description"] in text
    for proof in described["security"]:
        assert all(f"[`{name}`](#proofs)" in text for name in proof)
    for parameter in described.get("parameters", ()):
        assert f"| `{parameter['name']}` | {parameter['in']} | " in text
    for status, answer in described["responses"].items():
        assert f"| `{status}` | {answer['description']}" in text
    is_signed = operation.access.name == "livekit"
    assert ("curl " in text) == (not is_signed)


def test_bodies_are_there_with_their_bounds_and_defaults() -> None:
    start, standard = (
        section(OPERATIONS[0]),
        section(next(o for o in OPERATIONS if o.path == "/api/token")),
    )
    assert "| `queue`, optional | boolean; `true` by default | Whether to wait in line" in start
    assert "`^[A-Za-z0-9_.@:+-]{1,100}$`, but not `^unverified:` or null" in start
    assert "object of string, 0 to 256 characters, 0 to 16 entries" in standard
    assert "`RejoinRequest`" in standard
    assert "`StandardTokenRequest`" in standard
    listed = section(next(one for one in OPERATIONS if one.path == "/api/sessions"))
    assert "| `limit` | query | integer, 1 to 200; `50` by default | " in listed


def test_examples_are_json() -> None:
    examples = re.findall(r"```json\n(.+?)\n```", PAGE, re.DOTALL)
    assert len(examples) > 15
    assert all(isinstance(json.loads(example), dict) for example in examples)


def test_the_page_tells_no_day_and_no_version(contract: dict[str, Any]) -> None:
    """Else it would have to be written anew where nothing has changed."""
    assert contract["info"]["version"] not in PAGE
    assert "20" + "26" not in PAGE


@pytest.mark.parametrize("name", CODES)
def test_every_code_has_its_meaning(name: str) -> None:
    status, meaning = CODES[name]
    assert f"| `{name}` | `{int(status)}` | {meaning} |" in PAGE
    assert meaning.endswith(".")


def test_what_is_special_in_markdown_is_escaped() -> None:
    assert words("a <b> and\n  `c <d>`") == "a &lt;b> and `c <d>`"
    assert table(("A",), [("`a|b`",)]) == ["| A |", "|---|", "| `a\\|b` |"]
    assert anchor("Read the contract (OpenAPI 3.1)") == "read-the-contract-openapi-31"
