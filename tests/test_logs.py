"""Logs: data on one line, and nothing in it that must not be kept."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from hubsync.logs import QUIET, configure_logging, redact, redacted

TOKEN = "pat-na1-11111111-2222-3333-4444-555555555555"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for library in QUIET:
        logging.getLogger(library).setLevel(logging.NOTSET)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_off_a_terminal_an_event_is_one_line_of_json() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    structlog.get_logger().info("contact.reconciled", contact="4211", changes=2)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "contact.reconciled", "level": "info", "contact": "4211", "changes": 2}


def test_events_below_the_level_are_left_out() -> None:
    stream = io.StringIO()
    configure_logging("warning", stream=stream)
    structlog.get_logger().info("contact.reconciled")
    structlog.get_logger().warning("portal.retry_scheduled")
    assert [line["event"] for line in lines(stream)] == ["portal.retry_scheduled"]


def test_what_libraries_log_comes_out_the_same_way() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream=stream)
    logging.getLogger("some.library").info("Running upgrade for %s", "ada@example.com")
    (line,) = lines(stream)
    assert (line["event"], line["level"]) == ("Running upgrade for [email]", "info")


@pytest.mark.parametrize("logger", ["alembic.runtime.plugins", "urllib3.connectionpool", "uvicorn.error"])
@pytest.mark.parametrize(("level", "heard"), [("info", 1), ("debug", 3)])
def test_libraries_that_talk_a_lot_are_heard_when_something_is_wrong_or_somebody_is_debugging(
    logger: str, level: str, heard: int
) -> None:
    stream = io.StringIO()
    configure_logging(level, "json", stream=stream)
    for number in (logging.DEBUG, logging.INFO, logging.ERROR):
        logging.getLogger(logger).log(number, "something")
    assert len(lines(stream)) == heard
    assert lines(stream)[-1]["event"] == "something"


def test_the_console_form_can_be_asked_for_anywhere() -> None:
    stream = io.StringIO()
    configure_logging("info", "console", stream=stream)
    structlog.get_logger().info("run.finished", run=17)
    assert "run.finished" in stream.getvalue()
    assert "run=17" in stream.getvalue()
    assert "{" not in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"token {TOKEN} refused", "token [token] refused"),
        (f"Authorization: Bearer {TOKEN}", "Authorization: Bearer [token]"),
        ("{'Authorization': 'opaque-credential'}", "{'Authorization': '[token]'}"),
        ("header Bearer abcdefgh12345678", "header Bearer [token]"),
        ("cannot read ada.lovelace+crm@example.co.uk!", "cannot read [email]!"),
        (
            "GET /crm/v3/objects/contacts/ada%40example.com?idProperty=email",
            "GET /crm/v3/objects/contacts/[email]?idProperty=email",
        ),
        ("postgresql://hubsync:pw@db.internal/hubsync", "postgresql://[credentials]@db.internal/hubsync"),
        ("contact 4211 at 12:30, 2 changes", "contact 4211 at 12:30, 2 changes"),
    ],
)
def test_text_loses_tokens_credentials_and_addresses(text: str, clean: str) -> None:
    assert redacted(text) == clean


def test_values_under_a_telling_key_are_left_out_but_counts_stay() -> None:
    event = {
        "event": "x",
        "access_token": "opaque",
        "client_secret": "opaque",
        "request_body": {"a": 1},
        "emails": 3,
        "nested": {"password": "opaque", "list": [{"authorization": "opaque"}, TOKEN]},
        "ids": ("1", "2"),
        "raw": b"abc",
    }
    assert redact(None, "info", event) == {
        "event": "x",
        "access_token": "[redacted]",
        "client_secret": "[redacted]",
        "request_body": "[redacted]",
        "emails": 3,
        "nested": {"password": "[redacted]", "list": [{"authorization": "[redacted]"}, "[token]"]},
        "ids": ["1", "2"],
        "raw": "[3 bytes]",
    }


def test_a_traceback_is_cleaned_too() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    try:
        raise ValueError(f"refused {TOKEN} of ada@example.com")
    except ValueError:
        structlog.get_logger().exception("run.failed")
    (line,) = lines(stream)
    assert line["exception"].endswith("ValueError: refused [token] of [email]")
