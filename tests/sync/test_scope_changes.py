"""A widened scope in portal.yaml lets contacts in whose past nobody had looked at: none of it fires (B1, D5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hubsync.policy.portal_spec import ScopeSpec
from hubsync.rulefiles.load import LoadedRules
from hubsync.sync.overrides import to_be_tuned
from tests.sync.desk import MQL, STAGE, STATUS, Desk, acted
from tests.sync.wrong import a_rule, rules_with

CONNECTED = "lead_status: {is: connected}"
OWNED = {"owner": {"is_known": "true"}}
ANYBODY = {"createdate": {"is_known": "true"}}


def scoped(folder: Path, *managed_if: Mapping[str, object], unless: Sequence[object] = ()) -> LoadedRules:
    """One rule for connected contacts, under a scope."""
    loaded = rules_with(folder, a_rule("one", CONNECTED, "working"))
    scope = ScopeSpec.model_validate({"managed_if": list(managed_if), "unless": list(unless)})
    files = replace(loaded.files, portal=loaded.files.portal.model_copy(update={"scope": scope}))
    return LoadedRules(loaded.folder, files, loaded.documents)


def test_a_scope_that_was_widened_makes_no_old_cause_fire_and_says_what_to_do(
    make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = make_desk(effective_since=None, loaded=scoped(tmp_path, OWNED))
    desk.sync()
    desk.later(days=1)
    for number in range(1_000):
        moment = desk.clock.now()
        desk.lead("CONNECTED", email=f"{number}@example.com", hubspot_owner_id="", at=moment)
    desk.later(days=1)
    assert acted(desk.sync()) == []
    desk.later(hours=1)
    desk.rebind(loaded=scoped(tmp_path, OWNED, ANYBODY))
    for outcome in (desk.plan(), desk.sync()):
        [notice] = outcome.notices
        assert notice.startswith("The scope in portal.yaml changed since the last run.")
        assert "backlog for every rule: see `hubsync backlog`" in notice
        assert "`hubsync backlog --treat CATEGORY`" in notice
        assert outcome.tally.backlog == 1_000
    desk.later(hours=1)
    fresh = desk.lead("CONNECTED", email="fresh@example.com", hubspot_owner_id="", at=desk.clock.now())
    desk.later(hours=1)
    outcome = desk.sync()
    assert (outcome.notices, outcome.tally.backlog) == ((), 1_000)
    assert [w.id for w in desk.written(STATUS)] == [fresh]


def test_the_same_scope_in_other_words_is_no_change(make_desk: Callable[..., Desk], tmp_path: Path) -> None:
    domains = rules_with(tmp_path, a_rule("one", CONNECTED, "working")).files.portal.lists["excluded_domains"]
    named = [{"email_domain": {"is_any_of": "excluded_domains"}}]
    spelt = [{"email_domain": {"is_any_of": list(reversed(domains))}}]
    desk = make_desk(effective_since=None, loaded=scoped(tmp_path, OWNED, ANYBODY, unless=named))
    desk.sync()
    desk.rebind(loaded=scoped(tmp_path, ANYBODY, OWNED, unless=spelt))
    assert desk.sync().notices == ()


def test_a_stage_that_becomes_managed_widens_the_scope(make_desk: Callable[..., Desk], tmp_path: Path) -> None:
    narrow = scoped(tmp_path, ANYBODY)
    stages = narrow.files.portal.stages
    without = {**stages, "mql": stages["mql"].model_copy(update={"managed": False})}
    portal = narrow.files.portal.model_copy(update={"stages": without})
    fewer = LoadedRules(narrow.folder, replace(narrow.files, portal=portal), narrow.documents)
    desk = make_desk(effective_since=None, loaded=fewer)
    desk.sync()
    desk.later(days=1)
    contact = desk.lead("CONNECTED", MQL, at=desk.clock.now())
    desk.later(days=1)
    desk.sync()
    desk.later(hours=1)
    desk.rebind(loaded=narrow)
    [notice] = desk.sync().notices
    assert "The scope in portal.yaml changed" in notice
    assert (desk.status(contact), desk.value(contact, STAGE)) == ("CONNECTED", MQL)


def test_a_change_of_scope_is_no_tuning_of_rules(make_desk: Callable[..., Desk], tmp_path: Path) -> None:
    """A18: what people changed back goes on counting."""
    desk = make_desk(effective_since=None, loaded=scoped(tmp_path, OWNED))
    desk.sync()
    desk.later(days=1)
    contacts = [desk.lead("CONNECTED", email=f"{n}@example.com", at=desk.clock.now()) for n in range(20)]
    desk.later(hours=1)
    desk.sync()
    desk.later(hours=1)
    for contact in contacts[:3]:
        desk.sets(contact, STATUS, "CONNECTED")
    desk.later(hours=1)
    desk.sync()
    desk.rebind(loaded=scoped(tmp_path, OWNED, ANYBODY))
    desk.later(hours=1)
    desk.sync()
    assert set(to_be_tuned(desk.store, desk.portal.portal_id)) == {"one"}
