"""Examples of bodies, made of their schemas: as the page shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

_BY_TYPE: dict[str, Any] = {"string": "…", "integer": 1, "number": 1.5, "boolean": True}


class Examples:
    """Makes examples of the schemas of one document."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    def of(self, schema: Schema, *, is_full: bool = True) -> Any:  # noqa: ANN401 - any JSON
        """Return a value that fits a schema.

        Without `is_full` an object has only what it needs, and what has an example of its own.
        """
        # What is said beside a reference counts more than what it leads to.
        schema = {**self.resolved(schema), **schema}
        for given in (schema.get("examples", ()), schema.get("enum", ())):
            if given:
                return given[0]
        for name in ("const", "default"):
            if schema.get(name) is not None:
                return schema[name]
        for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
            return self.of(choice, is_full=is_full)
        return self._by_type(schema, is_full=is_full)

    def _by_type(self, schema: Schema, *, is_full: bool) -> Any:  # noqa: ANN401 - any JSON
        kind = schema.get("type", "")
        if kind == "array":
            return [self.of(schema["items"], is_full=is_full)]
        return self._object(schema, is_full=is_full) if kind == "object" else _BY_TYPE.get(kind)

    def resolved(self, schema: Schema) -> Schema:
        """Follow a reference."""
        return self._schemas[name_of(schema)] if "$ref" in schema else schema

    def forms(self, schema: Schema) -> Sequence[Schema]:
        """Return the forms that a body may have, of which it has one."""
        forms: Sequence[Schema] = self.resolved(schema).get("oneOf", [schema])
        return forms

    def _object(self, schema: Schema, *, is_full: bool) -> dict[str, Any]:
        required = schema.get("required", ())
        return {
            name: self.of(field, is_full=is_full)
            for name, field in schema.get("properties", {}).items()
            if is_full or name in required or "examples" in field
        }


def about(schema: Schema) -> str:
    """Return what a schema says of itself, on one line."""
    return " ".join(schema.get("description", "").split())


def name_of(schema: Schema) -> str:
    """Return the name of the schema that is referred to, or ""."""
    return str(schema.get("$ref", "")).rpartition("/")[2]
