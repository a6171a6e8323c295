"""Properties that every record has without being told: ids, dates, provenance, and what a deal's step says of it."""

from __future__ import annotations

from hubsync.sandbox.directory import Directory
from hubsync.sandbox.lifecycle import Virtual
from hubsync.sandbox.records import Record
from hubsync.sandbox.times import iso


def _last_user(record: Record) -> str | None:
    if record.history:
        last = max((entries[-1] for entries in record.history.values() if entries), key=lambda entry: entry.at)
        if last.at >= record.created and last.source.user_id is not None:
            return str(last.source.user_id)
    return None if record.source.user_id is None else str(record.source.user_id)


def common_values(kind: str) -> dict[str, Virtual]:
    """Name → reader for properties that follow from the record itself."""
    found: dict[str, Virtual] = {
        "hs_object_id": lambda record: record.id,
        "hs_createdate": lambda record: iso(record.created),
        "hs_lastmodifieddate": lambda record: iso(record.updated),
        "hs_object_source": lambda record: record.source.type,
        "hs_object_source_id": lambda record: record.source.id,
        "hs_object_source_label": lambda record: record.source.label or record.source.type,
        "hs_created_by_user_id": lambda record: None if record.source.user_id is None else str(record.source.user_id),
        "hs_updated_by_user_id": _last_user,
    }
    if kind in ("contacts", "companies", "deals"):
        found["createdate"] = found["hs_createdate"]
    if kind == "contacts":
        found["lastmodifieddate"] = found["hs_lastmodifieddate"]
        found["hs_email_domain"] = lambda record: record.values.get("email", "").rpartition("@")[2].lower() or None
        found["hs_is_unworked"] = lambda _: "true"
        found["hs_pipeline"] = lambda _: "contacts-lifecycle-pipeline"
        found["hs_all_contact_vids"] = lambda record: record.id
    return found


def deal_values(directory: Directory) -> dict[str, Virtual]:
    """Name → reader for what a deal's pipeline step says of it."""

    def closed(record: Record) -> str:
        return str(is_closed(directory, record)).lower()

    def won(record: Record) -> str:
        return str(is_won(directory, record)).lower()

    def probability(record: Record) -> str | None:
        stage = directory.stage(record.values.get("pipeline", ""), record.values.get("dealstage", ""))
        return str(stage.probability) if stage else None

    return {"hs_is_closed": closed, "hs_is_closed_won": won, "hs_deal_stage_probability": probability}


def is_closed(directory: Directory, deal: Record) -> bool:
    """True where the deal stands in a closed step."""
    stage = directory.stage(deal.values.get("pipeline", ""), deal.values.get("dealstage", ""))
    return stage is not None and stage.closed


def is_won(directory: Directory, deal: Record) -> bool:
    """True where the deal stands in a won step."""
    stage = directory.stage(deal.values.get("pipeline", ""), deal.values.get("dealstage", ""))
    return stage is not None and stage.won
