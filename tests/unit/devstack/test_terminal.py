"""What people see."""

from __future__ import annotations

import io

from devstack.terminal import Terminal


class Tty(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_steps_are_aligned() -> None:
    stream = io.StringIO()
    terminal = Terminal({}, stream)
    terminal.step("redis", "ready", 0.123)
    terminal.step("tokenserver", "ready", 12.345, "a note")
    assert stream.getvalue() == (
        "  redis        ready         0.1 s\n  tokenserver  ready        12.3 s  a note\n"
    )


def test_table() -> None:
    stream = io.StringIO()
    Terminal({}, stream).table([("service", "pid"), ("redis", "1"), ("tokenserver", "23")])
    assert stream.getvalue() == "  service      pid\n  redis        1\n  tokenserver  23\n"


def test_an_error_comes_after_the_log_that_shows_it() -> None:
    stream = io.StringIO()
    Terminal({}, stream).error("it died", "one\ntwo")
    assert stream.getvalue() == "  | one\n  | two\nerror: it died\n"


def test_the_clock_is_wiped_by_the_next_line() -> None:
    stream = Tty()
    terminal = Terminal({"NO_COLOR": "1"}, stream)
    terminal.clock("worker", "starting", 1.0)
    terminal.step("worker", "ready", 2.0)
    clock, wipe, line = stream.getvalue().partition("\r\x1b[2K  worker       ready")
    assert clock.endswith("starting      1.0 s")
    assert wipe
    assert line.endswith("2.0 s\n")


def test_without_a_terminal_there_is_no_clock_and_no_colour() -> None:
    stream = io.StringIO()
    terminal = Terminal({}, stream)
    terminal.clock("worker", "starting", 1.0)
    terminal.warning("careful")
    assert stream.getvalue() == "  warning: careful\n"


def test_colours_can_be_switched_off() -> None:
    coloured, plain = Tty(), Tty()
    Terminal({}, coloured).title("hello")
    Terminal({"NO_COLOR": "1"}, plain).title("hello")
    assert coloured.getvalue() == "\x1b[1mhello\x1b[0m\n"
    assert plain.getvalue() == "hello\n"
