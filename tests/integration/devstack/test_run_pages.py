"""`make run` builds the pages, and runs without them where that fails."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from devstack.services.record import stack_file
from tests.integration.devstack.conftest import NewStack, make_web
from tests.support.programs import ENDS_WITHIN_S, StackProgram
from tests.support.wait import eventually_sync


def described(stack: StackProgram) -> dict[str, str | None]:
    content: dict[str, str | None] = json.loads(stack_file(stack.run_dir).read_text())
    return content


@pytest.mark.parametrize("key", ["", "mine-and-hidden"])
def test_it_tells_where_the_pages_are_and_where_the_key_is(
    new_stack: NewStack, tmp_path: Path, key: str
) -> None:
    web = make_web(tmp_path / "web")
    stack = new_stack("healthy", {"WEB_DIR": "", "TINY_WEB": str(web), "ADMIN_API_KEY": key})
    stack.start()
    stack.until_output("stop    Ctrl-C")

    assert "pages        built" in stack.output
    where = f"http://127.0.0.1:{stack.env['TOKENSERVER_PORT']}"
    assert described(stack)["webUrl"] == where
    assert f"\n  call    {where}/\n" in stack.output
    found_in = "your ADMIN_API_KEY" if key else f"the adminKey in {stack_file(stack.run_dir)}"
    assert f"\n  console {where}/console (its key is {found_in})\n" in stack.output
    admin_key = described(stack)["adminKey"]
    assert admin_key is not None
    assert admin_key not in stack.output
    assert (web / "dist" / "index.html").read_text() == "first"


def test_pages_that_cannot_be_built_are_no_reason_to_do_without_the_api(
    new_stack: NewStack, tmp_path: Path
) -> None:
    web = make_web(tmp_path / "web", "echo no such module; exit 3")
    stack = new_stack("healthy", {"WEB_DIR": "", "TINY_WEB": str(web)})
    stack.start()
    stack.until_output("stop    Ctrl-C")

    assert "  | no such module\n" in stack.output
    assert "  warning: no call page and no console, only the API: the web pages" in stack.output
    assert "call    no page, as warned above" in stack.output
    assert described(stack)["webUrl"] is None
    assert stack.command("status").returncode == 0


def test_a_build_that_is_interrupted_leaves_nothing(new_stack: NewStack, tmp_path: Path) -> None:
    web = make_web(tmp_path / "web", "mkdir dist && touch ../building && sleep 600")
    stack = new_stack("healthy", {"WEB_DIR": "", "TINY_WEB": str(web)})
    stack.start()
    eventually_sync((web / "building").exists, ENDS_WITHIN_S, message="a build begins")

    stack.signal(signal.SIGINT)

    assert stack.wait() == 130
    assert not (web / ".building").exists()
    assert not (web / "dist").exists()
    stack.assert_no_process_is_left()
