"""Logs: one full line per unit of work, as data, on stderr, without anything that must not be kept.

Modules say `log = structlog.get_logger()` and `log.info("contact.reconciled", contact="4211", changes=2)`; they never
format. What libraries log through the standard library goes the same way. Importing this module is dear (structlog),
so the command line does it only once a command runs.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

SECRET_WORDS = frozenset(
    {"authorization", "body", "cookie", "credential", "credentials", "email", "emails", "password", "secret", "token"}
)
"""A value whose key holds one of these words is left out, numbers and truth values excepted: they are counts."""

QUIET = {"alembic": logging.WARNING, "urllib3": logging.WARNING, "uvicorn": logging.ERROR}
"""Libraries, and from which level on they are heard unless somebody is debugging. hubsync logs what matters of a
request or a migration itself; uvicorn would warn of whatever a scanner sends it."""

_WORD = re.compile(r"[a-z]+")
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bpat-[a-z0-9]{2,8}-[\w-]+", re.IGNORECASE), "[token]"),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), r"\1 [token]"),
    (
        re.compile(r"(authorization['\"]?\s*[:=]\s*['\"]?)(?!(?:bearer|basic) \[)[^\s'\",}]+", re.IGNORECASE),
        r"\1[token]",
    ),
    (re.compile(r"(://)[^\s/@:]{0,128}:[^\s/@]{1,256}@"), r"\1[credentials]@"),
    (re.compile(r"[\w.+'-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63})+", re.IGNORECASE), "[email]"),
)


def configure_logging(
    level: str = "info", log_format: Literal["json", "console"] | None = None, *, stream: TextIO | None = None
) -> None:
    """Send every log line of `level` and above to `stream` (stderr), in `log_format`.

    Without one: console on a terminal, json elsewhere. Safe to call again; the last call counts.
    """
    stream = stream if stream is not None else sys.stderr
    as_json = log_format == "json" or (log_format is None and not stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # modules make their loggers before the settings are read
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                structlog.processors.JSONRenderer()
                if as_json
                else structlog.dev.ConsoleRenderer(colors=stream.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for library, quiet in QUIET.items():
        logging.getLogger(library).setLevel(logging.DEBUG if level == "debug" else quiet)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Leave tokens, credentials, e-mail addresses and bodies out of a log line, whatever key or text they stand in."""
    return {key: _clean(value, str(key)) for key, value in event.items()}


def redacted(text: str) -> str:
    """The text without tokens, credentials and e-mail addresses."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def _clean(value: Any, key: str = "") -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if not SECRET_WORDS.isdisjoint(_WORD.findall(key.lower())):
        return "[redacted]"
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    if isinstance(value, Mapping):
        return {redacted(str(name)): _clean(item, str(name)) for name, item in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [_clean(item) for item in value]
    return redacted(str(value))
