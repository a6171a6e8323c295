"""Portals, and what is remembered of each: since when causes count, which rules are in force, how far a poll came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from hubsync.store.ledger import rename_rule
from hubsync.store.sql import insert_into
from hubsync.store.tables import cursor as cursor_table
from hubsync.store.tables import portal as portal_table
from hubsync.store.tables import rule_activation
from hubsync.store.values import Learned, Portal


def known(tx: Connection) -> int | None:
    """The only portal."""
    ids = tx.execute(select(portal_table.c.portal_id).limit(2)).scalars().all()
    return ids[0] if len(ids) == 1 else None


def every(tx: Connection) -> tuple[Portal, ...]:
    """All portals by id."""
    c = portal_table.c
    columns = (c.portal_id, c.time_zone, c.app_id, c.effective_since, c.active_digest, c.remembered_at, c.ui_domain)
    return tuple(Portal(*row) for row in tx.execute(select(*columns).order_by(c.portal_id)))


def remember(tx: Connection, portal: int, at: datetime, learned: Learned) -> None:
    """Upserts a portal; None keeps what is known."""
    statement = insert_into(tx, portal_table).values(portal_id=portal, remembered_at=at, **learned)
    new, old = statement.excluded, portal_table.c
    kept = {name: func.coalesce(new[name], old[name]) for name in ("time_zone", "app_id", "ui_domain")}
    tx.execute(statement.on_conflict_do_update(index_elements=[old.portal_id], set_=kept))


def effective_since(tx: Connection, portal: int) -> datetime | None:
    """B1's moment."""
    statement = select(portal_table.c.effective_since).where(portal_table.c.portal_id == portal)
    return tx.execute(statement).scalar_one_or_none()


def active_digest(tx: Connection, portal: int) -> str | None:
    """The digest of the rules in force."""
    statement = select(portal_table.c.active_digest).where(portal_table.c.portal_id == portal)
    return tx.execute(statement).scalar_one_or_none()


def set_column(tx: Connection, portal: int, column: str, value: Any) -> None:
    """Sets one column of a portal. KeyError for a portal that isn't remembered."""
    statement = update(portal_table).where(portal_table.c.portal_id == portal).values({column: value})
    if tx.execute(statement).rowcount != 1:
        raise KeyError(f"portal {portal} isn't remembered in this database")


def activations(tx: Connection, portal: int) -> dict[str, datetime]:
    """Rule → since when."""
    statement = select(rule_activation.c.rule, rule_activation.c.since).where(rule_activation.c.portal_id == portal)
    return {row.rule: row.since for row in tx.execute(statement)}


def activate_rules(
    tx: Connection, portal: int, ids: Iterable[str], at: datetime, was: Mapping[str, Sequence[str]]
) -> dict[str, datetime]:
    """Stamps new rules; a renamed one takes over its former id's moment and ledger."""
    active = activations(tx, portal)
    fresh: dict[str, datetime] = {}
    for rule in ids:
        former = [old for old in was.get(rule, ()) if old in active and old != rule]
        moments = [active[known] for known in (rule, *former) if known in active]
        for old in former:
            rename_rule(tx, portal, old, rule)
            tx.execute(
                delete(rule_activation).where(rule_activation.c.portal_id == portal, rule_activation.c.rule == old)
            )
            del active[old]
        since = min(moments, default=at)
        if active.get(rule) != since:
            active[rule] = fresh[rule] = since
    if fresh:
        statement = insert_into(tx, rule_activation)
        tx.execute(
            statement.on_conflict_do_update(
                index_elements=[rule_activation.c.portal_id, rule_activation.c.rule],
                set_={"since": statement.excluded.since},
            ),
            [{"portal_id": portal, "rule": rule, "since": since} for rule, since in fresh.items()],
        )
    return active


def cursor(tx: Connection, portal: int, name: str) -> str | None:
    """The value of a cursor."""
    statement = select(cursor_table.c.value).where(cursor_table.c.portal_id == portal, cursor_table.c.name == name)
    return tx.execute(statement).scalar_one_or_none()


def set_cursor(tx: Connection, portal: int, name: str, value: str) -> None:
    """Upserts a cursor."""
    statement = insert_into(tx, cursor_table).values(portal_id=portal, name=name, value=value)
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=[cursor_table.c.portal_id, cursor_table.c.name], set_={"value": value}
        )
    )
