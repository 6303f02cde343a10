"""Commands that make a call, as examples: `$API` is the address of a server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tokenserver.contract.examples import Examples


def commands_of(
    method: str, path: str, operation: Mapping[str, Any], examples: Examples
) -> Iterator[str]:
    """Yield a command that makes the call, for each form that its body may have."""
    if operation["security"] == [{"livekitSignature": []}]:
        return  # nobody but LiveKit can sign it
    switches = "" if method == "GET" else f"-X {method} "
    if "text/event-stream" in operation["responses"].get("200", {}).get("content", {}):
        switches += "-N "
    filled = path.replace("{session_id}", "$SESSION_ID").replace("{worker_id}", "$WORKER_ID")
    call = [f'curl {switches}"$API{filled}"']
    if operation["security"] and {} not in operation["security"]:
        call.append(f'-H "Authorization: {_authorization(operation)}"')
    contents = operation.get("requestBody", {}).get("content", {})
    if not contents:
        yield _lines(call)
    for media_type, content in contents.items():
        for form in examples.forms(content["schema"]):
            body = json.dumps(examples.of(form, is_full=False), ensure_ascii=False)
            yield _lines([*call, f"-H 'Content-Type: {media_type}'", f"-d '{body}'"])


def _lines(parts: list[str]) -> str:
    return " \\\n  ".join(parts)


def _authorization(operation: Mapping[str, Any]) -> str:
    name = next(iter(operation["security"][0]))
    shown = {"adminKey": "$ADMIN_API_KEY", "sessionSecret": "$SESSION_SECRET"}
    return f"Bearer {shown[name]}" if name in shown else "…"
