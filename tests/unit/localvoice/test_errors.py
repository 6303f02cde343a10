"""Every error has its status, its kind and the one shape."""

from __future__ import annotations

import inspect

import pytest

from localvoice import errors
from localvoice.errors import ApiError

CLASSES = [
    found for _, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, ApiError)
]


@pytest.mark.parametrize("kind", CLASSES)
def test_shape(kind: type[ApiError]) -> None:
    error = kind("why", param="input", retry_after_s=3)

    assert set(error.body["error"]) == {"message", "type", "param", "code"}
    assert 400 <= error.status < 600
    assert (error.kind == "server_error") == (error.status >= 500)


def test_no_two_classes_share_a_status() -> None:
    statuses = [kind.status for kind in CLASSES]

    assert len(set(statuses)) == len(statuses)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    for kind in CLASSES:
        assert f"{kind.__name__}" in (errors.__doc__ or "")
        assert str(kind.status) in (errors.__doc__ or "")
