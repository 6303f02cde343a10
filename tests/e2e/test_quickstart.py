"""Every command of README.md and docs/quickstart.md is typed, in their order, in a fresh checkout.

A block of `sh` that a reader types is run here, whatever it is; what stays until Ctrl-C is in
`STAYS`, what the page promises in `SAYS`. One that cannot be run here is in `ELSEWHERE`.
"""

from __future__ import annotations

import asyncio
import json
import re
import wave
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import expect

from devstack.install.environment import is_current
from devstack.install.tools import LIVEKIT, PROMETHEUS, REDIS
from devstack.settings import REPO
from tests.e2e.reader import Reader, reading
from tests.support.browser import browsing
from tests.support.markdown import Block, blocks
from tests.support.plain import NO_TLS
from tests.support.servers import lacking, program

pytestmark = pytest.mark.timeout(900)

README, QUICKSTART = "README.md", "docs/quickstart.md"
#: Blocks that are not typed here: why, and which test does it instead.
ELSEWHERE = {
    "make test": ("runs this test", "tests/unit/devstack/test_tasks.py"),
}
#: What stays until Ctrl-C, and what it has written when it is ready.
STAYS = {
    "make run": "  stop    Ctrl-C",
    "make observe": "  stop       Ctrl-C",
    "python3 -m http.server 3001 --bind 127.0.0.1 --directory mine/page": "Serving HTTP on",
}
#: What the pages say will come, as the command writes it.
SAYS = {
    'make ask Q="What time is it?"': ("agent  Hello!", "you    What time is it", "It is "),
    'make ask Q="What is seven plus five?"': ("12", "/.run/answer.wav"),
    'make ask Q="What are the opening hours for Sunday?"': (
        "agent  Flowers and more, good day!",
        "from ten to four",
    ),
    "make status": ("redis", "livekit", "localvoice", "tokenserver", "worker"),
    "make run ARGS=--detach": ("  call    http://127.0.0.1:", "  console ", "  stop    make stop"),
    "grep adminKey .run/stack.json": ('"adminKey": "',),
}


def commands(page: str) -> list[Block]:
    """Return what a page has its reader type."""
    return blocks(page, "sh")


@pytest.fixture
def reader(tmp_path: Path, built_pages: Path) -> Iterator[Reader]:
    if not is_current("run"):
        lacking("the packages of .venv are not those of the lock: run `make setup`")
    tools = {tool.setting: str(program(tool)) for tool in (REDIS, LIVEKIT, PROMETHEUS)}
    with reading(tmp_path, built_pages, tools) as somebody:
        yield somebody


def test_what_is_said_of_commands_is_said_of_some() -> None:
    typed = {block.text.strip() for page in (README, QUICKSTART) for block in commands(page)}
    lines = {line for text in typed for line in text.splitlines()}
    assert [text for text in {*ELSEWHERE, *STAYS, *SAYS} if text not in typed | lines] == []
    assert [path for _, path in ELSEWHERE.values() if not (REPO / path).exists()] == []


def test_settings_of_the_pages_are_settings() -> None:
    """Blocks of `dotenv` are lines for `.env`, and so is what the quickstart writes there."""
    known = set(re.findall(r"^#([A-Z0-9_]+)=", (REPO / ".env.example").read_text(), re.M))
    texts = [block.text for page in (README, QUICKSTART) for block in blocks(page, "dotenv")]
    written = [block.text for block in commands(QUICKSTART) if ".env <<" in block.text]
    assert len(texts) >= 3
    assert len(written) == 1
    names = re.findall(r"^([A-Z0-9_]+)=", "\n".join(texts + written), re.M)
    assert [name for name in names if name not in known] == []
    assert len(names) == sum(len(text.strip().splitlines()) for text in texts) + 4


def test_the_readme_is_typed(reader: Reader) -> None:
    """Result: everything it starts is there, says what it says, and is gone after Ctrl-C."""
    for block in commands(README):
        text = block.text.strip()
        if text in ELSEWHERE:
            continue
        if text in STAYS:
            reader.start(text, STAYS[text])
            continue
        output = reader.run(text, *SAYS.get(text, ()))
        if "/api/session/start" in text:
            answer, (shown,) = output[output.index("{") :], blocks(README, "json")
            assert json.loads(answer).keys() == json.loads(shown.text).keys()
    with closing(wave.open(str(reader.checkout / ".run" / "answer.wav"))) as answer_:
        assert answer_.getnframes() > answer_.getframerate() / 2
    for one in reversed(reader.staying):
        one.press_ctrl_c()
    reader.assert_nothing_runs()


def test_the_quickstart_is_typed(reader: Reader, chromium: Path) -> None:
    """Result: the agent is the reader's own, and talks in the reader's own page; nothing runs in
    the end."""
    for block in commands(QUICKSTART):
        text = block.text.strip()
        if text in STAYS:
            server = reader.start(text, STAYS[text])
            asyncio.run(talk_in_own_page(reader.own_page_url, chromium))
            server.press_ctrl_c()
        else:
            reader.run(text, *(one for line in text.splitlines() for one in SAYS.get(line, ())))
            assert "make run" not in text or is_page_there(reader)
    reader.assert_nothing_runs()
    assert (reader.checkout / ".run" / "logs").is_dir()


def is_page_there(reader: Reader) -> bool:
    """Say whether the addresses that the page names for a browser are answered."""
    pages = [httpx2.get(f"{reader.api_url}/{path}", verify=NO_TLS) for path in ("", "console")]
    return all(page.status_code == 200 for page in pages)


async def talk_in_own_page(url: str, chromium: Path) -> None:
    """Open the page that the reader has written, and be greeted by the reader's agent."""
    async with browsing(chromium) as context:
        page = await context.new_page()
        await page.goto(url)
        await page.get_by_role("button", name="Start talking").click()
        await expect(page.get_by_text("Flowers and more, good day!")).to_be_visible()
        await page.get_by_role("button", name="End call").click()
        await expect(page.get_by_role("heading", name="The call is over")).to_be_visible()
