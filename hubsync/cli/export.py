"""`hubsync db export`: runs, ledger and overrides as JSON lines or CSV, for one's own archive and analyses.

Ids, times, rules and states only. What people may have typed stays out: HubSpot's answers, notes, texts of tasks and
proposals, conditions and reasons of bulk changes; values only of the properties named here.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from hubsync.cli.context import invocation
from hubsync.cli.options import OutOption
from hubsync.cli.output import whole_file
from hubsync.cli.runs import portal_of
from hubsync.errors import SettingsError
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.store.database import open_store
from hubsync.store.store import Store
from hubsync.store.values import Override, Run, Write
from hubsync.sync.plan import instant

VALUES = frozenset({STATUS, STAGE, "hubsync_reason", "hubsync_review_date"})
"""Properties whose values are exported: choices and dates, never what someone typed."""
ASKED = ("full", "since", "contacts", "undoes", "status", "treat")
"""Arguments of runs that are exported."""
Record = dict[str, Any]


class Form(StrEnum):
    """How an export comes out."""

    JSON = "json"
    CSV = "csv"


def export(
    context: typer.Context,
    since: Annotated[
        str | None, typer.Option("--since", metavar="T", help="Only runs that began, and overrides made, since then.")
    ] = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="json: one object a line (the default). csv: a table of all.")
    ] = None,
    out: OutOption = None,
) -> int:
    """Write runs, ledger and overrides to a file or to standard output; `record` says which of them a line is.

    Only reads the database, beside a running service too. Holds ids, no names and nothing that people typed.
    """
    start = _moment(since) if since is not None else None
    settings = invocation(context).settings()
    to_stdout = out is None or str(out) == "-"
    by_ending = Form.CSV if out is not None and out.suffix.lower() == ".csv" else Form.JSON
    with open_store(settings.database_url, base=settings.base, read_only=True) as store:
        records = exported(store, portal_of(store, invocation(context).portal), start)
        if to_stdout or out is None:
            _put(records, form or by_ending, sys.stdout)
        else:
            with whole_file(Path(out)) as file:
                _put(records, form or by_ending, file)
    return 0


def exported(store: Store, portal: int, since: datetime | None) -> Iterator[Record]:
    """Every record, oldest first of each kind, a thousand in memory at most."""
    past = store.exporting(portal)
    yield from (_run(run, portal) for run in past.runs(since))
    yield from (_write(row, portal) for row in past.writes(since))
    yield from (_override(row, portal) for row in past.overrides(since))


def _put(records: Iterator[Record], form: Form, file: TextIO) -> None:
    import orjson

    if form is Form.JSON:
        file.writelines(orjson.dumps(record).decode() + "\n" for record in records)
        return
    writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in record.items()} for record in records)


def _cell(value: Any) -> Any:
    """Lists and counts as JSON; nothing in an export begins like a formula."""
    import orjson

    return orjson.dumps(value).decode() if isinstance(value, Mapping | list) else value


def _run(run: Run, portal: int) -> Record:
    return {
        "record": "run",
        "portal": portal,
        "run": run.id,
        "kind": run.kind,
        "state": run.state,
        "started": instant(run.started_at),
        "finished": _instant(run.finished_at),
        "args": {name: run.args[name] for name in ASKED if run.args.get(name)},
        "counts": dict(run.counts),
        "rules": run.rules_digest,
    }


def _write(row: Write, portal: int) -> Record:
    told = row.target in VALUES and row.kind in {"set", "undo"}
    return {
        "record": "write",
        "portal": portal,
        "run": row.run,
        "id": row.id,
        "contact": row.contact,
        "kind": row.kind,
        "rule": row.rule,
        "playbook": row.playbook,
        "cause": row.cause_kind,
        "cause_at": _instant(row.cause_at),
        "cause_id": row.cause_id,
        "target": row.target,
        "from": row.before if told else None,
        "to": row.after if told else None,
        "state": row.state,
        "object": row.object_id,
        "sent": _instant(row.sent_at),
        "answered": _instant(row.answered_at),
        "closed": _instant(row.closed_at),
        "rules": row.rules_digest,
    }


def _override(row: Override, portal: int) -> Record:
    told = row.property in VALUES
    return {
        "record": "override",
        "portal": portal,
        "id": row.write,
        "contact": row.contact,
        "rule": row.rule,
        "target": row.property,
        "from": row.before if told else None,
        "to": row.after if told else None,
        "by": row.by,
        "at": instant(row.at),
    }


COLUMNS = (
    *(
        "record",
        "portal",
        "run",
        "id",
        "contact",
        "kind",
        "rule",
        "playbook",
        "cause",
        "cause_at",
        "cause_id",
        "target",
    ),
    *("from", "to", "state", "object", "by", "at", "sent", "answered", "closed", "started", "finished"),
    *("args", "counts", "rules"),
)
"""Of the CSV, where a record leaves empty what it hasn't."""


def _instant(at: datetime | None) -> str | None:
    return instant(at) if at is not None else None


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f'--since "{text}": write a date such as 2026-03-31, or a date and time.') from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
