"""Column types that mean the same on SQLite and PostgreSQL.

Times are stored as whole microseconds since 1970 (UTC), so that both databases compare and return them exactly; a naive
datetime never gets in. JSON is kept as the text that was given, and None is always SQL NULL.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import JSON, BigInteger, Integer
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Whole microseconds since 1970. ValueError for a datetime without a time zone."""
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone can't be stored")
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The moment, in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


class Moment(TypeDecorator[datetime]):
    """An aware datetime in Python, microseconds since 1970 in the database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 -- SQLAlchemy's signature
        """To the database."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """From the database."""
        return None if value is None else from_micros(value)


Json = JSON(none_as_null=True)
"""Any JSON value. Not JSONB: that refuses texts with a NUL character, and one contact must not sink a batch."""

RowId = BigInteger().with_variant(Integer, "sqlite")
"""An id that the database counts up: SQLite counts only columns declared INTEGER."""
