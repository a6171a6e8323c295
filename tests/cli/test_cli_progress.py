"""Progress: seen on a terminal once it takes long, never in the way elsewhere."""

from __future__ import annotations

import io

import pytest

from hubsync.cli.progress import progress


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_on_a_terminal_nothing_is_shown_before_two_seconds() -> None:
    terminal, clock = FakeTerminal(), Clock()
    with progress("Reading contacts", 900, stream=terminal, clock=clock) as shown:
        clock.now = 1.9
        shown.advance(100)
    assert terminal.getvalue() == ""


def test_on_a_terminal_a_bar_appears_after_two_seconds_with_what_was_done_before() -> None:
    terminal, clock = FakeTerminal(), Clock()
    with progress("Reading [all] contacts", 900, stream=terminal, clock=clock) as shown:
        shown.advance(100)
        clock.now = 2.0
        shown.advance(200)
        shown.advance(300, total=1_000)
    assert "Reading [all] contacts" in terminal.getvalue()
    assert "600/1000" in terminal.getvalue()


def test_off_a_terminal_nothing_is_told() -> None:
    pipe, clock = io.StringIO(), Clock()
    with progress("Reading contacts", 900, stream=pipe, clock=clock) as shown:
        clock.now = 60.0
        shown.advance(100)
    assert pipe.getvalue() == ""


def test_off_a_terminal_a_line_every_ten_seconds_is_told_on_request() -> None:
    pipe, clock = io.StringIO(), Clock()
    with progress("Reading contacts", 9_000, verbose=True, stream=pipe, clock=clock) as shown:
        for second in range(25):
            clock.now = float(second)
            shown.advance(100)
    assert pipe.getvalue() == "Reading contacts: 1,100 of 9,000\nReading contacts: 2,100 of 9,000\n"


def test_a_bar_is_taken_off_when_the_work_fails() -> None:
    terminal, clock = FakeTerminal(), Clock()

    def work() -> None:
        with progress("Reading", stream=terminal, clock=clock) as shown:
            clock.now = 3.0
            shown.advance()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert terminal.getvalue().endswith("\x1b[2K")
