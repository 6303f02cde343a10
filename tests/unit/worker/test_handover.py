"""Workers that stop at the same time share the places that others have."""

from __future__ import annotations

import pytest

from worker.host.handover import share


@pytest.mark.parametrize("free", range(8))
@pytest.mark.parametrize("count", [1, 2, 3])
def test_no_place_is_promised_twice_and_none_is_left_over(free: int, count: int) -> None:
    workers = [f"w{number}" for number in range(count)]
    shares = [share(free, one, [other for other in workers if other != one]) for one in workers]
    assert sum(shares) == free
    assert max(shares) - min(shares) <= 1
