"""Worker processes that need no speech models: a provider of the tests' own is what they talk to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.loops import BackgroundLoop
from tests.support.provider import provider


@pytest.fixture(scope="session")
def localvoice_url() -> Iterator[str]:
    """Speech that costs nothing, in place of the models."""
    with BackgroundLoop() as loop:
        serving = provider()
        one = loop.run(serving.__aenter__())
        try:
            yield one.url.removesuffix("/v1")
        finally:
            loop.run(serving.__aexit__(None, None, None))
