"""The examples of docs/client.md run as they stand, but for the address and the key."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest

from devstack.settings import REPO
from tests.support.replicas import ADMIN_KEY, Replicas
from tests.support.servers import neutral_environment

EXAMPLES = re.findall(r"^```python\n(.*?)^```", (REPO / "docs/client.md").read_text(), re.S | re.M)
SAYS = (
    ["join ws://"],
    ["starting An agent is on its way.", "ended The session is over."],
    ["of 1"],
)


@pytest.mark.parametrize(("example", "says"), list(zip(EXAMPLES, SAYS, strict=True)))
async def test_an_example_runs(replicas: Replicas, example: str, says: list[str]) -> None:
    server = await replicas.start()
    code = example.replace("http://127.0.0.1:8080", server.url)
    code = code.replace("YOUR-ADMIN-KEY", ADMIN_KEY)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", code),
        cwd=REPO,
        env=neutral_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()
    for words in says:
        assert words in output.decode()
