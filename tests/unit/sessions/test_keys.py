"""Whatever comes from outside, a key names what it should or is not built at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.errors import InvalidInput
from sessions.ids import SessionId, UserId, WorkerId, idempotency_digest
from sessions.keys import Keys
from sessions.text import clean

#: Surrogates included: JSON can spell them.
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=140)
#: What nearly is an id is the dangerous kind.
NEARLY = st.from_regex(r"[0-9a-f]{31,33}\n?|[a-z0-9_.@:+-]{1,4}[}:*\x00 \n]?", fullmatch=True)
KEY = re.compile(r"\{vf\}:[a-z:]+(:[A-Za-z0-9_.-]{1,64})?(:logs)?")


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.one_of(ANY_TEXT, NEARLY))
def test_no_text_names_another_key(text: str) -> None:
    keys = Keys("vf")
    builders: list[Callable[[], str]] = [
        lambda: keys.session(SessionId(text)),
        lambda: keys.logs(SessionId(text)),
        lambda: keys.conversation(SessionId(text)),
        lambda: keys.record(SessionId(text)),
        lambda: keys.user(UserId(text)),
        lambda: keys.memory(UserId(text)),
        lambda: keys.worker(WorkerId(text)),
        lambda: keys.idempotency(idempotency_digest(text)),
    ]
    for build in builders:
        with suppress(InvalidInput):
            assert KEY.fullmatch(build())


@settings(max_examples=500, deadline=None, derandomize=True)
@given(ANY_TEXT, st.integers(1, 200))
def test_any_text_can_be_made_to_fit(text: str, max_chars: int) -> None:
    fitting = clean(text, max_chars)
    assert len(fitting) <= max_chars
    fitting.encode("utf-8")
    if len(text) <= max_chars and not re.search("[\ud800-\udfff]", text):
        assert fitting == text
