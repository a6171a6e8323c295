"""The line on the record (G2), in the language of portal.yaml: what was done, taken back, set for many, mended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hubsync.policy.changes import Cause, SetProperty
from hubsync.policy.spec import Language
from hubsync.rulefiles.load import LoadedRules
from hubsync.sync import signing
from hubsync.sync.signing import LAST_ACTION
from tests.sync.bulk_desk import asked, write
from tests.sync.desk import NOW, STAGE, STATUS, Desk, ago, all_rules
from tests.sync.undoing import undo


def speaking(desk: Desk, language: Language) -> None:
    """The desk's portal writes in this language from now on."""
    loaded = all_rules()
    portal = loaded.files.portal.model_copy(update={"language": language})
    desk.rebind(loaded=LoadedRules(loaded.folder, replace(loaded.files, portal=portal), loaded.documents))


@pytest.mark.parametrize(
    ("language", "begins", "ends"),
    [
        ("en", "New: ", "(2 March 2026, A2)"),
        ("fr", "New : ", "(2 mars 2026, A2)"),
        ("de", "New: ", "(2. März 2026, A2)"),
        ("id", "New: ", "(2 Maret 2026, A2)"),
    ],
)
def test_what_a_rule_did_is_signed_in_the_portals_language(
    desk: Desk, language: Language, begins: str, ends: str
) -> None:
    speaking(desk, language)
    contact = desk.lead("", "marketingqualifiedlead", at=ago(hours=1))
    desk.sync()
    assert desk.status(contact) == "NEW"
    line = desk.value(contact, LAST_ACTION) or ""
    rule = desk.bound().policy.rule("new_on_becoming_mql")
    assert rule is not None
    assert line == f"{begins}{rule.says} {ends}"


def test_what_is_taken_back_is_signed_in_the_portals_language(desk: Desk) -> None:
    speaking(desk, "de")
    contact = desk.lead("", "marketingqualifiedlead", at=ago(hours=1))
    run = desk.sync().run
    undo(desk, run)
    assert desk.value(contact, LAST_ACTION) == (
        f"Rückgängig gemacht: Lauf {run} (A2): Lead Status New → keiner (2. März 2026)"
    )


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        ("", "Nurture : mis pour beaucoup de contacts à la fois (2 mars 2026, G4)"),
        ("salon", "Nurture : mis pour beaucoup de contacts à la fois, motif : salon (2 mars 2026, G4)"),
    ],
)
def test_what_is_set_for_many_is_signed_in_the_portals_language(desk: Desk, reason: str, line: str) -> None:
    speaking(desk, "fr")
    contact = desk.lead("NEW")
    write(desk, asked(desk, "nurture", "lead_status is new", reason=reason))
    assert desk.value(contact, LAST_ACTION) == line


def test_what_was_put_back_names_whose_value_it_is_and_since_when(desk: Desk) -> None:
    speaking(desk, "id")
    portal = desk.bound()
    says = signing.had_set(portal, "Rita Rep", NOW)
    change = SetProperty(STATUS, "NEW", "CONNECTED", "a_rule", "A3", Cause("repair", NOW, "repair:1"), says)
    assert signing.of_repair(portal, [STATUS, STAGE], change, put_back=True) == (
        "Lead Status, Lifecycle Stage dikembalikan: Rita Rep mengisinya pada 2 Maret 2026 10:00. (A3)"
    )
    assert signing.of_repair(portal, [STATUS], change, put_back=False) == (
        "Rita Rep mengisinya pada 2 Maret 2026 10:00. (A3)"
    )
