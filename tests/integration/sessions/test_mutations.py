"""The machine notices when the store is wrong: a mutated copy of the scripts turns it red.

`python -m tests.mutations` tries more of them, and shows that the copy as it is stays green.
"""

from __future__ import annotations

import pytest

from tests.mutations import FURTHER, REQUIRED, Mutation, copied, is_red
from tests.support.servers import RedisServer


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutation", REQUIRED, ids=lambda mutation: mutation.name)
def test_the_machine_turns_red(redis_server: RedisServer, mutation: Mutation) -> None:
    """Asks for a server only to be skipped where there is none: the copy starts its own."""
    del redis_server
    assert is_red(mutation)


@pytest.mark.parametrize("mutation", REQUIRED + FURTHER, ids=lambda mutation: mutation.name)
def test_every_mutation_finds_its_text(mutation: Mutation) -> None:
    with copied(None) as root:
        script = root / "sessions" / "lua" / mutation.file
        before = script.read_text(encoding="utf-8")
        mutation.apply(root)
        assert script.read_text(encoding="utf-8") != before
    assert not root.exists()


def test_a_text_that_is_not_there_is_an_error() -> None:
    mutation = Mutation("none", "renew.lua", "no such text")
    with copied(None) as root, pytest.raises(LookupError, match=r"renew\.lua"):
        mutation.apply(root)
