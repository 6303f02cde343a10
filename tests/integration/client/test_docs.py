"""The examples of the clients' pages run as they stand, but for the address and the key."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.install.web import WEB
from devstack.settings import REPO
from tests.support.markdown import Block, blocks
from tests.support.replicas import ADMIN_KEY, Replicas
from tests.support.servers import neutral_environment
from tests.support.web import Scripts

TYPESCRIPT = blocks("docs/client-typescript.md", "ts")
TYPESCRIPT_SAYS = (
    ["join ws://"],
    ["starting An agent is on its way.", "ended The session was over before an agent came."],
    ["starting ws://", "[] []"],
    [""],
)
#: With LiveKit's SDKs, which need a browser: tests/e2e/clients opens some of them in one.
OF_SDKS = [*blocks("README.md", "tsx"), *blocks("docs/frontends.md", "ts", "tsx", "js")]
EXAMPLES = [block.text for block in blocks("docs/client.md", "python")]
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
    """Give each example a file, where its imports are good: those that run come first."""
    examples = [*TYPESCRIPT, *OF_SDKS]
    paths = [WEB / "test" / _name(number, block) for number, block in enumerate(examples)]
    for path, block in zip(paths, examples, strict=True):
        path.write_text(block.text)
    yield paths[: len(TYPESCRIPT)]
    for path in paths:
        path.unlink()


def _name(number: int, block: Block) -> str:
    """JavaScript that is good TypeScript is good."""
    return f"example-{number}.{'ts' if block.language == 'js' else block.language}"


async def test_the_examples_in_typescript_compile_and_run(
    replicas: Replicas, scripts: Scripts, written: list[Path]
) -> None:
    """One after the other: there is one slot, and each gives it back."""
    assert {block.page for block in OF_SDKS} == {"README.md", "docs/frontends.md"}
    await asyncio.to_thread(scripts.run, "node_modules/typescript/bin/tsc", "--noEmit", "-p", ".")
    server = await replicas.start()
    for path, says in zip(written, TYPESCRIPT_SAYS, strict=True):
        path.write_text(path.read_text().replace("http://127.0.0.1:8080", server.url))
        output = await asyncio.to_thread(scripts.run, str(path))
        for words in says:
            assert words in output, path.name
