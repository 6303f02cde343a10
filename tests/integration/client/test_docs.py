"""The examples of the clients' pages run as they stand, but for the address and the key."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.install.web import WEB
from devstack.settings import REPO
from tests.support.replicas import ADMIN_KEY, Replicas
from tests.support.servers import neutral_environment
from tests.support.web import Scripts

PAGE = (REPO / "docs/client-typescript.md").read_text()
TYPESCRIPT = re.findall(r"^```ts\n(.*?)^```", PAGE, re.S | re.M)
TYPESCRIPT_SAYS = (
    ["join ws://"],
    ["starting An agent is on its way.", "ended The session was over before an agent came."],
    ["starting ws://", "[] []"],
    [""],
)
EXAMPLES = re.findall(r"^```python\n(.*?)^```", (REPO / "docs/client.md").read_text(), re.S | re.M)
SAYS = (
    ["join ws://"],
    ["starting An agent is on its way.", "ended The session was over before an agent came."],
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


@pytest.fixture
def written() -> Iterator[list[Path]]:
    """Give each example of TypeScript a file, where its imports are good."""
    paths = [WEB / "test" / f"example-{number}.ts" for number in range(len(TYPESCRIPT))]
    for path, example in zip(paths, TYPESCRIPT, strict=True):
        path.write_text(example)
    yield paths
    for path in paths:
        path.unlink()


async def test_the_examples_in_typescript_compile_and_run(
    replicas: Replicas, scripts: Scripts, written: list[Path]
) -> None:
    """One after the other: there is one slot, and each gives it back."""
    await asyncio.to_thread(scripts.run, "node_modules/typescript/bin/tsc", "--noEmit", "-p", ".")
    server = await replicas.start()
    for path, says in zip(written, TYPESCRIPT_SAYS, strict=True):
        path.write_text(path.read_text().replace("http://127.0.0.1:8080", server.url))
        output = await asyncio.to_thread(scripts.run, str(path))
        for words in says:
            assert words in output, path.name
