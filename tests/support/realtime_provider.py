"""A provider of OpenAI's Realtime API for tests: a real WebSocket, the part of it that is used.

    async with realtime_provider() as one:
        one.heard = "What is two plus two?"
        one.reply = "Four."
        ...
        await one.cut()

It hears that somebody speaks and stops, not what: that is what the test wrote down. What it says is
a tone, as long as the text would take.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import math
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiohttp import WSMsgType, web

from tests.support.provider import Reply, ToolCall
from tests.support.serving import serving

_RATE = 24_000
_CHAR_S = 0.05
_LOUD = 500
#: Pieces of 0.1 s; a pause within a sentence is shorter.
_QUIET_PIECES = 6

Event = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class RealtimeProvider:
    """Where it is, what it says, and what it was told."""

    url: str
    heard: str = "Hello there."
    #: The answer, or what makes it from the items of the conversation.
    reply: Reply | Callable[[list[Event]], Reply] = "I see."
    #: Refuses connections with this status.
    refuses_with: int | None = None
    #: Never answers a request for a response.
    is_silent: bool = False
    #: Each response fails for this reason.
    failure: Event | None = None
    keys: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    #: All that the sessions were told to be.
    session: Event = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)

    def told(self, kind: str) -> list[Event]:
        """Return the events of one type that came in."""
        return [event for event in self.events if event["type"] == kind]

    async def cut(self) -> None:
        """Break all connections."""
        for socket in self.sockets:
            await socket.close()
        self.sockets.clear()

    def answer(self, items: list[Event]) -> Reply:
        """Return what the model says after these items."""
        return self.reply if isinstance(self.reply, str | ToolCall) else self.reply(items)


@asynccontextmanager
async def realtime_provider() -> AsyncIterator[RealtimeProvider]:
    """Serve one on a free port of this machine."""
    app = web.Application()
    one = RealtimeProvider(url="")
    app.router.add_get("/v1/realtime", partial(_serve, one))
    async with serving(app) as address:
        one.url = f"http://{address}/v1"
        yield one
        await one.cut()


async def _serve(one: RealtimeProvider, request: web.Request) -> web.StreamResponse:
    if one.refuses_with is not None:
        return web.Response(status=one.refuses_with)
    one.keys.append(request.headers.get("authorization", ""))
    one.models.append(request.query.get("model", ""))
    socket = web.WebSocketResponse(max_msg_size=2_000_000)
    await socket.prepare(request)
    one.sockets.append(socket)
    talk = _Talk(one, socket)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await talk.take(json.loads(message.data))
    return socket


class _Talk:
    """One connection."""

    def __init__(self, one: RealtimeProvider, socket: web.WebSocketResponse) -> None:
        self._one = one
        self._socket = socket
        self._items: list[Event] = []
        self._numbers = itertools.count(1)
        self._quiet_pieces = 0
        self._spoken: str | None = None

    async def take(self, event: Event) -> None:
        """Do what a client asks for."""
        match event["type"]:
            case "input_audio_buffer.append":
                await self._listen(base64.b64decode(event["audio"]))
                return
            case "session.update":
                _merge(self._one.session, event["session"])
                await self._send("session.updated", session=event["session"])
            case "conversation.item.create":
                await self._add(event["item"])
            case "conversation.item.delete":
                self._items = [one for one in self._items if one["id"] != event["item_id"]]
                await self._send("conversation.item.deleted", item_id=event["item_id"])
            case "response.create":
                response = event.get("response") or {}
                self._one.events.append(event)
                await self._respond(response.get("metadata"))
                return
        self._one.events.append(event)

    async def _listen(self, pcm: bytes) -> None:
        """Hear when somebody begins and ends to speak, as the server's VAD does."""
        samples = struct.unpack(f"<{len(pcm) // 2}h", pcm)
        is_loud = math.sqrt(sum(one * one for one in samples) / max(len(samples), 1)) > _LOUD
        self._quiet_pieces = 0 if is_loud else self._quiet_pieces + 1
        if is_loud and self._spoken is None:
            self._spoken = self._name("item")
            await self._send("input_audio_buffer.speech_started", item_id=self._spoken)
        elif self._spoken is not None and self._quiet_pieces >= _QUIET_PIECES:
            spoken, self._spoken = self._spoken, None
            await self._send("input_audio_buffer.speech_stopped", item_id=spoken)
            await self._understand(spoken)
            await self._respond(None)

    async def _understand(self, item_id: str) -> None:
        await self._add(
            {
                "id": item_id,
                "type": "message",
                "role": "user",
                "content": [{"type": "input_audio", "transcript": None}],
            }
        )
        await self._send(
            "conversation.item.input_audio_transcription.completed",
            item_id=item_id,
            content_index=0,
            transcript=self._one.heard,
        )
        self._items[-1]["content"][0]["transcript"] = self._one.heard

    async def _respond(self, metadata: Event | None) -> None:
        one = self._one
        if one.is_silent:
            return
        response = {"id": self._name("resp"), "metadata": metadata, "status": "in_progress"}
        await self._send("response.created", response=response)
        if one.failure is not None:
            details = {"type": "failed", "error": one.failure}
            failed = response | {"status": "failed", "status_details": details}
            await self._send("response.done", response=failed)
            return
        reply = one.answer(self._items)
        if isinstance(reply, ToolCall):
            await self._call(reply)
        else:
            await self._say(reply)
        usage = {"input_tokens": 10, "output_tokens": 10, "total_tokens": 20}
        await self._send(
            "response.done", response=response | {"status": "completed", "usage": usage}
        )

    async def _say(self, text: str) -> None:
        item_id = self._name("item")
        item: Event = {"id": item_id, "type": "message", "role": "assistant", "content": []}
        await self._send("response.output_item.added", item=item)
        await self._add(item)
        part = {"type": "audio", "transcript": ""}
        await self._send("response.content_part.added", item_id=item_id, part=part)
        for word in text.split():
            await self._send(
                "response.output_audio_transcript.delta", item_id=item_id, delta=f"{word} "
            )
            sound = base64.b64encode(_tone(len(word) * _CHAR_S)).decode()
            await self._send("response.output_audio.delta", item_id=item_id, delta=sound)
        await self._send("response.output_audio.done", item_id=item_id)
        await self._send("response.output_item.done", item=item)

    async def _call(self, call: ToolCall) -> None:
        item = {
            "id": self._name("item"),
            "type": "function_call",
            "call_id": self._name("call"),
            "name": call.name,
            "arguments": json.dumps(call.arguments),
        }
        await self._send("response.output_item.added", item=item)
        await self._add(item)
        await self._send("response.output_item.done", item=item)

    async def _add(self, item: Event) -> None:
        previous = self._items[-1]["id"] if self._items else None
        self._items.append(item)
        await self._send("conversation.item.added", item=item, previous_item_id=previous)

    async def _send(self, kind: str, **fields: object) -> None:
        if not self._socket.closed:
            event = {"type": kind, "event_id": self._name("event"), **fields}
            await self._socket.send_str(json.dumps(event))
            await asyncio.sleep(0)

    def _name(self, kind: str) -> str:
        return f"{kind}_{id(self):x}_{next(self._numbers)}"


def _merge(into: Event, changes: Event) -> None:
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


def _tone(seconds: float) -> bytes:
    samples = (
        round(8000 * math.sin(2 * math.pi * 440 * n / _RATE)) for n in range(round(seconds * _RATE))
    )
    return b"".join(struct.pack("<h", sample) for sample in samples)
