"""What job processes write to their standard error becomes lines of the worker's log.

Above all the warnings of the WebRTC library (job/native.py); and the last words of a process that
crashes, which only standard error gets to hear. Bounded: a line that is longer comes in pieces.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re

logger = logging.getLogger("livekit")

_LONGEST_LINE_BYTES = 4_096
#: As the Rust crate env_logger writes: `[2026-01-01T00:00:00Z WARN  livekit::rtc_engine] text`.
_NATIVE = re.compile(r"^\[\S+ +(TRACE|DEBUG|INFO|WARN|ERROR) +([\w:]+)\] (.*)$")
_LEVELS = {"WARN": logging.WARNING, "ERROR": logging.ERROR, "INFO": logging.INFO}


async def log_errors(descriptor: int) -> None:
    """Log what comes out of this end of a pipe, until nobody has the other one."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LONGEST_LINE_BYTES)
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    rest = b""
    try:
        while data := await reader.read(_LONGEST_LINE_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) >= _LONGEST_LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                _log(line)
        _log(rest)
    finally:
        transport.close()


def _log(line: bytes) -> None:
    text = line.decode(errors="replace").rstrip()
    if not text:
        return
    if found := _NATIVE.match(text):
        level, target, said = found.groups()
        logger.log(_LEVELS.get(level, logging.DEBUG), "%s - %s", target, said)
    else:
        logger.warning("standard error of a job process", extra={"line": text})
