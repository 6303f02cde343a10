"""Notes what a process does that costs time when it is done in the middle of a call.

Python runs a file of this name at its start, when its folder is in PYTHONPATH; it is for
`tests/integration/worker/test_first_uses.py`. Each note is a line of JSON in the file that
PROBE_FILE names: which process, when, what, of what, and for whom.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType

_FILE = os.environ.get("PROBE_FILE")  # noqa: TID251 - there is nothing else at this point
#: Frames of Python itself tell nobody who wanted something.
_OWN = ("<frozen", "/importlib/", "/sitecustomize.py")
_DEEPEST = 12


def _wanted_by() -> str:
    """Name the functions that led here, the innermost one first."""
    frame: FrameType | None = sys._getframe(2)
    found: list[str] = []
    while frame is not None and len(found) < _DEEPEST:
        code = frame.f_code
        if not any(own in code.co_filename for own in _OWN):
            found.append(f"{'/'.join(code.co_filename.split('/')[-2:])}:{code.co_name}")
        frame = frame.f_back
    return " < ".join(found)


def _watch(file: str) -> None:
    target = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    busy = threading.local()

    def note(kind: str, what: str) -> None:
        if getattr(busy, "is_noting", False):
            return
        busy.is_noting = True
        try:
            line = {"pid": os.getpid(), "at": time.time(), "kind": kind, "what": what}
            os.write(target, (json.dumps(line | {"for": _wanted_by()}) + "\n").encode())
        finally:
            busy.is_noting = False

    def hear(event: str, arguments: Sequence[object]) -> None:
        if event == "import":
            note("import", str(arguments[0]))
        elif event == "open" and isinstance(arguments[0], str | bytes):
            note("open", os.fsdecode(arguments[0]))
        elif event == "subprocess.Popen":
            note("program", str(arguments[0]))

    usual = ssl.SSLContext.load_default_certs
    other = ssl.SSLContext.load_verify_locations

    def load_default_certs(self: ssl.SSLContext, *arguments: object) -> None:
        note("trust", "of the system")
        usual(self, *arguments)  # type: ignore[arg-type]

    def load_verify_locations(self: ssl.SSLContext, *arguments: object, **more: object) -> None:
        note("trust", "of a file")
        other(self, *arguments, **more)  # type: ignore[arg-type]

    ssl.SSLContext.load_default_certs = load_default_certs  # type: ignore[method-assign,assignment]
    ssl.SSLContext.load_verify_locations = load_verify_locations  # type: ignore[method-assign]
    sys.addaudithook(hear)


if _FILE:
    _watch(_FILE)
