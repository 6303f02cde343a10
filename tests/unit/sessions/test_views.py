from __future__ import annotations

import pytest

from sessions.views import percentile


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 50, None), ([7], 95, 7), ([1, 3], 50, 2), (list(range(101)), 95, 95)],
)
def test_percentile(values: list[int], percent: int, expected: int | None) -> None:
    assert percentile(values, percent) == expected
