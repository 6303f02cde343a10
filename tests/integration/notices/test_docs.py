"""docs/webhooks.md shows what is sent, and its code verifies it."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from devstack.errors import ToolMissing
from devstack.install.node import find_node
from devstack.settings import process_environment
from notices.delivery import Result
from notices.formats import Format, body_of
from notices.message import Message
from sessions.ids import SessionId, UserId
from sessions.journal import Change, Event
from sessions.model import Session
from sessions.states import State
from supervisor.alarm import Alarm
from supervisor.alerts import Severity
from supervisor.session_messages import message_of
from tests.support.notices import SECRET, notice_settings
from tests.support.odd_server import Asked
from tests.support.receiver import receiving
from tests.support.servers import lacking

PAGE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"<!-- example: (\S+) -->\n```json\n(.*?)```", PAGE, re.DOTALL))
OTHER = f"whsec_{32 * 'A'}"
SINCE_MS = 1_764_000_000_000
ID = SessionId("6f0c1b7e9a2d4c538e17d0b4a95f3c62")
EXIT_S = 60


def firing() -> Message:
    alarm = Alarm(
        code="no_worker",
        severity=Severity.CRITICAL,
        message="No worker is there: sessions wait, and then fail. Start one, or read its log.",
        value=0,
        limit=1,
        since_ms=SINCE_MS,
        seen_ms=SINCE_MS,
    )
    return alarm.to_message(SINCE_MS + 30_000)


def ended() -> Message:
    session = Session(
        id=ID,
        status=State.ENDED,
        user_id=UserId("ada"),
        identity="user-1",
        epoch=1,
        revision=5,
        secret_hash="",
        persona="interviewer",
        created_at_ms=SINCE_MS,
        admitted_at_ms=SINCE_MS,
        ready_at_ms=SINCE_MS + 500,
        joined_at_ms=SINCE_MS + 900,
        ended_at_ms=SINCE_MS + 200_000,
        reason="user_left",
    )
    events = [
        Event(revision=3, at_ms=SINCE_MS + 900, status=State.ACTIVE, epoch=1),
        Event(revision=5, at_ms=SINCE_MS + 200_000, status=State.ENDED, epoch=1),
    ]
    change = Change(cursor=f"{SINCE_MS + 200_000}-0", session_id=ID, revision=5, status=State.ENDED)
    message = message_of(change, session, events)
    assert message is not None
    return message


SENT: dict[str, tuple[Message, Format]] = {
    "alert.firing": (firing(), Format.JSON),
    "slack": (firing(), Format.SLACK),
    "session.ended": (ended(), Format.JSON),
}


def test_every_example_is_compared() -> None:
    assert set(EXAMPLES) == set(SENT)
    assert len(re.findall("^```json$", PAGE, re.MULTILINE)) == len(SENT)


@pytest.mark.parametrize("name", SENT)
def test_an_example_is_what_is_sent(name: str) -> None:
    """To the letter, but for line breaks: names in the same order, too."""
    message, shape = SENT[name]
    shown, sent = json.loads(EXAMPLES[name]), json.loads(body_of(message, shape))
    assert json.dumps(shown, indent=1) == json.dumps(sent, indent=1)


async def posted() -> Asked:
    """Return a message as a receiver gets it, signed with two secrets."""
    async with receiving() as receiver:
        settings = notice_settings(receiver, event_webhook_secret=f"{OTHER} {SECRET}")
        courier = settings.event_courier()
        assert courier is not None
        assert (await courier.send(ended())).result is Result.DELIVERED
    (post,) = receiver.posts
    return post


def variants(post: Asked) -> list[tuple[list[str], dict[str, str], bytes, bool]]:
    """Return secrets, headers and bodies, and whether they are to be believed."""
    headers = {name: text for name, text in post.headers.items() if name.startswith("webhook-")}
    old = headers | {"webhook-timestamp": str(int(time.time()) - 400)}
    return [
        ([SECRET], headers, post.body, True),
        ([f"whsec_{32 * 'B'}", OTHER], headers, post.body, True),
        ([f"whsec_{32 * 'B'}"], headers, post.body, False),
        ([SECRET], headers, post.body + b" ", False),
        ([SECRET], headers | {"webhook-id": "another"}, post.body, False),
        ([SECRET], headers | {"webhook-timestamp": str(int(time.time()) + 1)}, post.body, False),
        ([SECRET], old, post.body, False),
        ([SECRET], headers | {"webhook-signature": "v1,"}, post.body, False),
    ]


async def test_the_python_of_the_page_verifies() -> None:
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    known: dict[str, Any] = {}
    exec(source, known)  # noqa: S102 - the page's own
    for secrets, headers, body, is_good in variants(await posted()):
        try:
            known["verify"](secrets, headers, body)
            is_taken = True
        except ValueError:
            is_taken = False
        assert is_taken is is_good


async def test_the_javascript_of_the_page_verifies(tmp_path: Path) -> None:
    try:
        node = find_node(process_environment())
    except ToolMissing as error:
        lacking(str(error))
    (source,) = re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL)
    cases = variants(await posted())
    told = [[secrets, headers, body.decode()] for secrets, headers, body, _ in cases]
    program = (
        f"{source}\nconst cases = {json.dumps(told)};\n"
        "const is = ([secrets, headers, body]) => {\n"
        "  try { verify(secrets, headers, Buffer.from(body)); return true; }"
        " catch { return false; }\n};\n"
        "console.log(JSON.stringify(cases.map(is)));\n"
    )
    (tmp_path / "verify.mjs").write_text(program, encoding="utf-8")
    done = subprocess.run(  # noqa: ASYNC221 - nothing else goes on
        [str(node.program), "verify.mjs"],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=EXIT_S,
    )
    assert json.loads(done.stdout) == [is_good for *_, is_good in cases]
