"""The WebRTC library in a job process: what it logs does not pass through Python.

It is written in Rust, and hands each line of its log to Python, of which the binding then throws
away all that are for debugging (livekit 1.1.21): 2,000 lines for each call that begins, each from
another thread, which has to wait for Python's lock. That took 0.2 s of a processor, and kept the
call waiting. So it keeps its log for itself, and writes warnings and errors to standard error,
which the worker reads (host/errors_log.py). With LIVEKIT_RTC_DEBUG=1 all is as it was.

Private parts of livekit: see host/pool.py.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from typing import Any

from livekit.rtc import _ffi_client

_DEBUG = "LIVEKIT_RTC_DEBUG"
#: What the library reads to know what it is to write (docs of the Rust crate env_logger).
_LEVEL = "RUST_LOG"
_START = "livekit_ffi_initialize"


def keep_native_log(level: str = "warn") -> None:
    """Have the library keep its log, from the moment on in which it is used first.

    It writes what is of this level at least (`warn`, `error`, `off`), unless RUST_LOG says another.
    """
    # Read and written here because the library does, which knows no other way.
    environment = os.environ  # noqa: TID251
    if environment.get(_DEBUG, "").strip().lower() in ("1", "true"):
        return
    environment.setdefault(_LEVEL, level)
    usual: Callable[[], ctypes.CDLL] = _ffi_client.get_ffi_lib

    def load() -> ctypes.CDLL:
        library = usual()
        # By a name that mypy does not look for: ctypes has whatever the library has.
        setattr(library, _START, _Initialize(getattr(library, _START)))
        return library

    _ffi_client.get_ffi_lib = load


class _Initialize:
    """The library's own function, but that nobody wants its log."""

    def __init__(self, function: Any) -> None:  # noqa: ANN401 - of a library
        self._function = function

    @property
    def argtypes(self) -> Sequence[Any]:
        """What it takes; ctypes has to be told."""
        types: Sequence[Any] = self._function.argtypes
        return types

    @argtypes.setter
    def argtypes(self, types: Sequence[Any]) -> None:
        self._function.argtypes = types

    def __call__(self, callback: object, _: bool, sdk: bytes, version: bytes) -> None:
        self._function(callback, False, sdk, version)
