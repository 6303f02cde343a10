"""What is done once for all job processes is done, and what is private in it is still there."""

from __future__ import annotations

import ctypes
import inspect
from collections.abc import Iterator

import pytest
from livekit import agents
from livekit.agents.telemetry import loop_monitor
from livekit.rtc import _ffi_client
from pydantic import BaseModel

from worker.job.native import keep_native_log
from worker.job.preload import preload, watch_less_often


def models(kind: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    for one in kind.__subclasses__():
        yield one
        yield from models(one)


def test_nothing_of_it_is_left_for_the_first_call() -> None:
    preload()
    unfinished = [one for one in models() if not one.__pydantic_complete__]
    assert not [one for one in unfinished if one.__module__.startswith("livekit.")]
    assert agents.tokenize.basic.hyphenate_word("preloading") == ["pre", "load", "ing"]


@pytest.mark.parametrize(("warn_ms", "every_s"), [(None, 0.1), ("200", 0.04), ("2000", 0.1)])
def test_blocked_loops_are_looked_for_ten_times_a_second(
    monkeypatch: pytest.MonkeyPatch, warn_ms: str | None, every_s: float
) -> None:
    """As often as whoever sets the threshold needs, not more often than that."""
    name = "LIVEKIT_AGENTS_LOOP_BLOCK_WARN_MS"
    # Set, then taken away: what is written in between is undone at the end.
    monkeypatch.setenv(name, warn_ms or "")
    if warn_ms is None:
        monkeypatch.delenv(name)
    monkeypatch.setattr(loop_monitor, "_MAX_TICK_INTERVAL", 0.05)
    watch_less_often()
    thresholds = loop_monitor.LoopMonitorThresholds.from_env()
    assert thresholds is not None
    assert loop_monitor._tick_interval_for(thresholds.warn) == pytest.approx(every_s)


class Library:
    """The native library, as far as it is told how to begin."""

    def __init__(self, told: list[tuple[object, ...]]) -> None:
        def initialize(*arguments: object) -> None:
            told.append(arguments)

        self.livekit_ffi_initialize = initialize


def test_the_native_library_is_told_to_keep_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its binding tells it to hand over each line, in the second argument."""
    beginning = inspect.getsource(_ffi_client.FfiClient.__init__)
    assert "self._ffi_lib = get_ffi_lib()" in beginning
    assert "ffi_event_callback, True, b" in beginning
    told: list[tuple[object, ...]] = []
    monkeypatch.setattr(_ffi_client, "get_ffi_lib", lambda: Library(told))
    monkeypatch.delenv("LIVEKIT_RTC_DEBUG", raising=False)
    monkeypatch.setenv("RUST_LOG", "error")
    keep_native_log()
    begin = _ffi_client.get_ffi_lib().livekit_ffi_initialize
    begin.argtypes = [ctypes.c_bool]
    assert begin.argtypes == [ctypes.c_bool]
    begin("callback", True, b"python", b"1")
    assert told == [("callback", False, b"python", b"1")]


def test_who_looks_for_mistakes_in_it_gets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = _ffi_client.get_ffi_lib
    monkeypatch.setenv("LIVEKIT_RTC_DEBUG", "1")
    keep_native_log()
    assert _ffi_client.get_ffi_lib is usual
