"""Every route is an operation, and every operation says who, how often, what, and what else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from tokenserver.access import rules
from tokenserver.access.limits import Rule
from tokenserver.access.rules import Access
from tokenserver.app import OPERATIONS, create_app
from tokenserver.contract.codes import CODES, EVERYWHERE
from tokenserver.contract.openapi import document
from tokenserver.contract.page import page
from tokenserver.http.guard import PathRoute
from tokenserver.http.operation import Operation, Unlimited
from tokenserver.settings import TokenserverSettings

ROOT = Path(__file__).parents[3]
EVERY = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}"
)
RULES = [rule for rule in vars(rules).values() if isinstance(rule, Access)]


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    return document(OPERATIONS)


def described(contract: dict[str, Any], operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = contract["paths"][operation.path][operation.method.lower()]
    return found


def test_every_route_comes_from_the_list() -> None:
    settings = TokenserverSettings(
        _env_file=None, livekit_api_key="key", livekit_api_secret=SecretStr("s" * 32)
    )
    routes = create_app(settings).routes
    assert all(isinstance(route, PathRoute) for route in routes)
    listed = {
        (route.path, method)
        for route in routes
        if isinstance(route, PathRoute)
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert listed == {(operation.path, operation.method) for operation in OPERATIONS}


def test_a_path_has_one_operation() -> None:
    """`PathRoute` answers 405 for every other method."""
    paths = [operation.path for operation in OPERATIONS]
    assert len(set(paths)) == len(paths)


def test_no_path_is_hidden_by_an_earlier_one() -> None:
    """What is spelled out comes before what is filled in."""
    for place, operation in enumerate(OPERATIONS):
        for earlier in OPERATIONS[:place]:
            pattern = re.sub(r"\{\w+\}", "[^/]+", earlier.path)
            assert not re.fullmatch(pattern, operation.path), (earlier.path, operation.path)


def test_names_are_used_once(contract: dict[str, Any]) -> None:
    names = [described(contract, operation)["operationId"] for operation in OPERATIONS]
    assert len(set(names)) == len(names)


@EVERY
def test_it_says_who_may_call(operation: Operation, contract: dict[str, Any]) -> None:
    assert operation.access in RULES
    security = described(contract, operation)["security"]
    assert [name for proof in security for name in proof] == list(operation.access.proofs)
    if operation.access.is_strict:
        assert security, "whoever may not come without a proof needs to know which"
        assert {} not in security
        assert "401" in described(contract, operation)["responses"]


@EVERY
def test_it_says_how_often(operation: Operation, contract: dict[str, Any]) -> None:
    told = described(contract, operation)
    if isinstance(operation.limit, Unlimited):
        assert len(operation.limit.reason) > 20
        assert operation.limit.reason in told["x-limit"]
        assert "RateLimit-Limit" not in told["responses"]["200"]["headers"]
    else:
        assert operation.limit in set(Rule) - {Rule.ADMIN}
        setting = re.findall(r"`([A-Z_]+)`", told["x-limit"])
        assert all(name.lower() in TokenserverSettings.model_fields for name in setting)
        assert "rate_limited" in told["responses"]["429"]["description"]


@EVERY
def test_it_says_what_it_does(operation: Operation) -> None:
    contract = operation.handler.contract
    assert contract.summary
    assert contract.description[-1] == "."
    assert operation.handler.run.__doc__


@EVERY
def test_it_says_what_is_answered(operation: Operation, contract: dict[str, Any]) -> None:
    answers = operation.handler.contract.answers
    assert min(answers) < HTTPStatus.MULTIPLE_CHOICES
    for status, answer in described(contract, operation)["responses"].items():
        assert {"X-Request-ID", "Cache-Control"} <= set(answer["headers"]), status
        if int(status) >= 400 and HTTPStatus(int(status)) not in answers:
            assert answer["content"] == {
                "application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}
            }
            assert re.search(r"`[a-z_]+`", answer["description"]), f"{status} without a code"


@EVERY
def test_what_it_takes_is_bounded(operation: Operation, contract: dict[str, Any]) -> None:
    """No text, list or number that comes from outside is without end."""
    told = described(contract, operation)
    for parameter in told.get("parameters", ()):
        assert_bounded(parameter["schema"], contract, parameter["name"])
    if operation.handler.contract.body is not None:
        body = told["requestBody"]["content"]["application/json"]["schema"]
        assert_bounded(body, contract, "body")


def assert_bounded(schema: dict[str, Any], contract: dict[str, Any], where: str) -> None:
    if "$ref" in schema:
        schema = contract["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        assert_bounded(choice, contract, where)
    match schema.get("type"):
        case "string":
            is_bounded = schema.keys() & {"maxLength", "enum", "const"} or "{" in schema["pattern"]
            assert is_bounded, where
        case "integer" | "number":
            assert {"minimum", "maximum"} <= schema.keys(), where
        case "array":
            assert "maxItems" in schema, where
            assert_bounded(schema["items"], contract, where)
        case "object" if "properties" in schema:
            assert schema["additionalProperties"] is False, where
            for name, field in schema["properties"].items():
                assert_bounded(field, contract, f"{where}.{name}")
        case "object":
            assert "maxProperties" in schema, where
            assert_bounded(schema["additionalProperties"], contract, where)


def test_every_field_says_what_it_means(contract: dict[str, Any]) -> None:
    silent = [
        f"{name}.{field}"
        for name, schema in contract["components"]["schemas"].items()
        for field, described in schema.get("properties", {}).items()
        if not described.get("description", "").endswith((".", "…"))
    ]
    silent += [
        f"{operation.path}: {parameter['name']}"
        for operation in OPERATIONS
        for parameter in described(contract, operation).get("parameters", ())
        if not parameter["description"].endswith(".")
    ]
    assert silent == []


def test_references_lead_somewhere(contract: dict[str, Any]) -> None:
    references = set(re.findall(r'"#/components/(\w+)/([\w-]+)"', json.dumps(contract)))
    assert len(references) > 30
    for kind, name in references:
        assert name in contract["components"][kind]
    known = set(contract["components"]["schemas"])
    assert known == {name for kind, name in references if kind == "schemas"}


@EVERY
def test_the_page_has_it(operation: Operation, contract: dict[str, Any]) -> None:
    html = page(contract)
    name = described(contract, operation)["operationId"]
    assert f'<section id="{name}">' in html
    assert f'<a href="#{name}">' in html


def test_the_page_has_what_every_code_means(contract: dict[str, Any]) -> None:
    html = page(contract)
    for name, (status, _) in CODES.items():
        assert f"<td><code>{name}</code></td><td><code>{int(status)}</code></td>" in html


def test_links_of_the_page_lead_somewhere(contract: dict[str, Any]) -> None:
    html = page(contract)
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(re.findall(r' id="([^"]+)"', html))


def test_the_page_shows_texts_and_no_markup_of_others(contract: dict[str, Any]) -> None:
    evil = json.loads(json.dumps(contract).replace("talking agent", "<script>talking</script>"))
    evil["paths"]["/api/token"]["post"]["summary"] = '"><img src=x onerror=alert(1)>'
    assert "<script" not in page(evil)
    assert "<img" not in page(evil)


def test_every_code_of_an_error_means_something(contract: dict[str, Any]) -> None:
    told = {
        (code, int(status))
        for methods in contract["paths"].values()
        for described in methods.values()
        for status, answer in described["responses"].items()
        for code in re.findall(r"`([a-z_]+)`", answer["description"])
    }
    listed = {(code, int(status)) for code, (status, _) in CODES.items() if code not in EVERYWHERE}
    assert told == listed
    assert CODES.keys() >= EVERYWHERE


def test_the_document_is_printed_without_any_setting(contract: dict[str, Any]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tokenserver", "--openapi"],
        cwd=ROOT,
        env={},
        capture_output=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert json.loads(done.stdout) == json.loads(json.dumps(contract))


def test_models_of_answers_say_what_they_are(contract: dict[str, Any]) -> None:
    for operation in OPERATIONS:
        for content in operation.handler.contract.answers.values():
            if isinstance(content, type) and issubclass(content, BaseModel):
                assert content.__doc__
    assert contract["openapi"].startswith("3.1")
