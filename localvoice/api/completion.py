"""A reply in the shapes OpenAI's clients parse: one object, or a stream of chunks."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

from localvoice.api.catalog import SCRIPT
from localvoice.api.chat_request import ChatRequest
from localvoice.brain.reply import Call, Reply, Say

#: A script has no tokens: a word with the space before it counts as one.
_TOKEN = re.compile(r"\s*\S+")


class Completion:
    """One answer to one request."""

    def __init__(self, asked: ChatRequest, reply: Reply) -> None:
        self._asked = asked
        self._call = reply if isinstance(reply, Call) else None
        self._call_id = f"call_{uuid.uuid4().hex[:24]}"
        self._id = f"chatcmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())
        self._tokens, cut = _limited(reply, asked)
        self._finish_reason = "tool_calls" if self._call else "length" if cut else "stop"

    def whole(self) -> dict[str, Any]:
        """A ``chat.completion``."""
        message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
        if self._call:
            message["tool_calls"] = [self._tool_call(self._call)]
        else:
            message["content"] = "".join(self._tokens)
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": self._finish_reason,
        }
        return self._envelope("chat.completion", [choice]) | {"usage": self._usage()}

    def chunks(self) -> Iterator[dict[str, Any]]:
        """Every ``chat.completion.chunk`` in order."""
        if self._call:
            whole = self._tool_call(self._call)
            function = whole["function"]
            opening = whole | {"index": 0, "function": function | {"arguments": ""}}
            arguments = {"index": 0, "function": {"arguments": function["arguments"]}}
            yield self._chunk({"role": "assistant", "content": None, "tool_calls": [opening]})
            yield self._chunk({"tool_calls": [arguments]})
        else:
            yield self._chunk({"role": "assistant", "content": "", "refusal": None})
            for token in self._tokens:
                yield self._chunk({"content": token})
        yield self._chunk({}, finish_reason=self._finish_reason)
        if self._asked.wants_usage:
            yield self._envelope("chat.completion.chunk", []) | {"usage": self._usage()}

    def _chunk(self, delta: dict[str, Any], *, finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        chunk = self._envelope("chat.completion.chunk", [choice])
        return chunk | {"usage": None} if self._asked.wants_usage else chunk

    def _envelope(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._asked.model or SCRIPT,
            "choices": choices,
        }

    def _tool_call(self, call: Call) -> dict[str, Any]:
        arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
        return {
            "id": self._call_id,
            "type": "function",
            "function": {"name": call.tool_name, "arguments": arguments},
        }

    def _usage(self) -> dict[str, int]:
        asked = sum(_count(message.text()) for message in self._asked.messages)
        answered = len(self._tokens) or 1
        return {
            "prompt_tokens": asked,
            "completion_tokens": answered,
            "total_tokens": asked + answered,
        }


def _limited(reply: Reply, asked: ChatRequest) -> tuple[list[str], bool]:
    """The reply's tokens, and whether a limit cut them off."""
    if not isinstance(reply, Say):
        return [], False
    text = reply.text
    stops = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
    for stop in filter(None, stops):
        text = text.split(stop, 1)[0]
    tokens = _TOKEN.findall(text)
    limit = asked.token_limit
    return tokens[:limit], limit is not None and len(tokens) > limit


def _count(text: str) -> int:
    # Not with _TOKEN: on a megabyte of blanks it would look for a word from each of them.
    return len(text.split())
