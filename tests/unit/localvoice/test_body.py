"""JSON bodies: what is read and what is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localvoice.api.body import parse_object
from localvoice.errors import ApiError


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()))
def test_what_was_meant_is_read(value: dict[str, object]) -> None:
    assert parse_object(json.dumps(value).encode()) == value


def read(raw: bytes) -> dict[str, object] | ApiError:
    """The object or the refusal; anything else escapes."""
    try:
        return parse_object(raw)
    except ApiError as error:
        return error


@given(st.binary(max_size=100))
def test_any_bytes_are_an_object_or_a_clear_error(raw: bytes) -> None:
    result = read(raw)

    assert isinstance(result, dict) or (result.status, result.code) == (400, "invalid_json")


@pytest.mark.parametrize(
    "raw", [b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e400}', b'{"a": "\\udc00"}', b"[]", b""]
)
def test_what_only_python_would_take(raw: bytes) -> None:
    with pytest.raises(ApiError):
        parse_object(raw)
