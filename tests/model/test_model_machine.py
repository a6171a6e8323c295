"""hubsync against the reference model (reference.py), over random lives of one contact.

A life is a sequence of what people, workflows and other apps do, time that passes, syncs and undos. After each sync the
portal must show what the model says, a second sync must find nothing to do, and what the playbook promises of every
write is looked up in the portal's history and journal and in the ledger. The lives are the same on every run.
MODEL_LIVES=N tries N others, MODEL_SEED=N chooses which, MODEL_UNSHRUNK=1 shows the first that fails as it is.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hubsync.sandbox import acts
from hubsync.sandbox.acts.contacts import source_of
from hubsync.store.database import open_store
from hubsync.sync.undo import write_undo
from tests.model.reference import OPEN, STAGES, WON, Deal, Entry, Model
from tests.sync.desk import GENEROUS, LONG_AGO, NOW, STAGE, STATUS, Desk, acted

LIVES = int(os.environ.get("MODEL_LIVES", "0"))
SHORT = 12
"""Lives in a run of the suite."""
SEED = int(os.environ.get("MODEL_SEED", "1"))
BREATH = timedelta(seconds=47)
"""Passes before everything that happens, so that no two causes have the same moment."""
PAUSES = (
    timedelta(0),
    timedelta(minutes=4, seconds=1),
    timedelta(minutes=21),
    timedelta(hours=5),
    timedelta(days=1, minutes=1),
    timedelta(days=8, hours=3),
)
STATUS_VALUES = {
    "": "", "new": "NEW", "attempting": "ATTEMPTED_TO_CONTACT", "connected": "CONNECTED", "working": "IN_PROGRESS",
    "qualified": "QUALIFIED", "unqualified": "UNQUALIFIED", "converted": "OPEN_DEAL", "nurture": "NURTURE",
    "bad_timing": "BAD_TIMING", "disqualified": "DISQUALIFIED", "recycled": "RECYCLED", "customer": "CUSTOMER",
}  # fmt: skip
STAGE_VALUES = {s: s for s in STAGES} | {"mql": "marketingqualifiedlead", "sql": "salesqualifiedlead"}
NAMES = {"status": STATUS, "stage": STAGE, "review": "hubsync_review_date", "reason": "hubsync_reason"}
REASONS = {"budget": "No budget this year", "competitor": "Went with a competitor", "wrong_fit": "Not a fit for them"}
statuses = st.sampled_from((*STATUS_VALUES, "", "new", "new", "converted", "qualified"))
stages = st.sampled_from(("lead", "mql", "sql", *STAGES))
first_statuses = st.sampled_from(("", "", "", "new", "connected", "qualified", *STATUS_VALUES))
writers = st.sampled_from(("person", "person", "workflow", "import", "integration"))
mostly = st.sampled_from((True, True, True, False))
pauses = st.sampled_from((None, None, *PAUSES))
origins = st.sampled_from(("person", "form", "import", "integration"))


def shown(prop: str, key: str) -> str:
    """HubSpot's value for what the model holds."""
    return {"status": STATUS_VALUES, "stage": STAGE_VALUES}.get(prop, {}).get(key, key)


class Lives(RuleBasedStateMachine):
    """One contact, its portal, hubsync, and the model beside them."""

    desk: Desk
    template: Path

    @initialize(
        stage=stages, status=first_statuses, by=origins, owner=mostly, pinned=mostly, portal_moves=st.booleans()
    )
    def comes_into_being(self, stage: str, status: str, by: str, owner: bool, pinned: bool, portal_moves: bool) -> None:
        desk = self.desk
        desk.clock.set(NOW)
        desk.portal.journal.clear()
        switches = desk.portal.switches
        switches.deal_created_sets_opportunity = switches.deal_won_sets_customer = portal_moves
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.folder / "life.db")
        desk.store = open_store(f"sqlite:///{self.folder / 'life.db'}", base=self.folder)
        desk.effective_since = LONG_AGO if pinned else None
        given = {STAGE: STAGE_VALUES[stage], STATUS: STATUS_VALUES[status], "hubspot_owner_id": desk.rep * owner}
        source = source_of(desk.portal, by, desk.rep)
        self.contact = acts.create_contact(desk.portal, {k: v for k, v in given.items() if v}, source=source, at=NOW)
        self.model = Model(NOW, by, ZoneInfo(desk.portal.time_zone), LONG_AGO if pinned else None, owner)
        for prop, key in (("stage", stage), ("status", status)):
            if key:
                self.model.history[prop].append(Entry(key, NOW, by))
        self.last_run = 0
        self.synced = False
        self.deals: list[str] = []
        if not pinned:
            self.sync()

    def now(self) -> datetime:
        """A moment later."""
        return self.desk.later(seconds=BREATH.total_seconds())

    def then(self, pause: timedelta | None) -> None:
        """Time passes, and hubsync looks; with None neither."""
        if pause is not None:
            self.desk.clock.advance(pause)
            self.sync()

    # What people and automations do ------------------------------------------------------------------------------

    @rule(status=statuses, by=writers, then=pauses)
    def the_status_is_set(self, status: str, by: str, then: timedelta | None) -> None:
        self.sets("status", status, by)
        self.then(then)

    @rule(stage=stages, by=writers, then=pauses)
    def the_stage_is_set(self, stage: str, by: str, then: timedelta | None) -> None:
        self.sets("stage", stage, by)
        self.then(then)

    @rule(prop=st.sampled_from(("status", "stage")), status=statuses, stage=stages, by=writers, then=pauses)
    def one_is_cleared_and_set(self, prop: str, status: str, stage: str, by: str, then: timedelta | None) -> None:
        self.sets(prop, "", by)
        self.desk.clock.advance(timedelta(seconds=1) - BREATH)
        self.sets(prop, status if prop == "status" else stage, by)
        self.then(then)

    def sets(self, prop: str, key: str, by: str) -> None:
        at, portal, name, value = self.now(), self.desk.portal, NAMES[prop], shown(prop, key)
        match by:
            case "person":
                acts.person_sets(portal, self.contact, name, value, self.desk.rep, at=at)
            case "workflow":
                acts.workflow_sets(portal, self.contact, name, value, at=at)
            case "import":
                acts.import_sets(portal, self.contact, name, value, at=at)
            case _:
                acts.integration_sets(portal, self.contact, name, value, at=at)
        backward = prop == "stage" and key and STAGES.index(key) < STAGES.index(self.model.value("stage"))
        if key != self.model.value(prop) and not (backward and by != "person"):
            self.model.history[prop].append(Entry(key, at, by))

    @rule(how=st.sampled_from(("mail", "sequence", "call", "message")), then=pauses)
    def a_rep_reaches_out(self, how: str, then: timedelta | None) -> None:
        at, portal, contact, rep = self.now(), self.desk.portal, self.contact, self.desk.rep
        match how:
            case "call":
                acts.rep_calls(portal, contact, rep, at=at)
            case "message":
                acts.rep_messages(portal, contact, rep, "WHATS_APP", at=at)
            case _:
                acts.rep_sends_email(portal, contact, rep, by_sequence=how == "sequence", at=at)
        self.model.outreach.append(at)
        self.then(then)

    @rule(what=st.sampled_from(("hands off", "go on", "go on", "no owner", "an owner", "an owner")), then=pauses)
    def whose_it_is_changes(self, what: str, then: timedelta | None) -> None:
        at, portal, contact, rep = self.now(), self.desk.portal, self.contact, self.desk.rep
        if what in ("hands off", "go on"):
            self.model.hold = what == "hands off"
            acts.person_sets(portal, contact, "hubsync_hold", "true" * self.model.hold, rep, at=at)
        else:
            self.model.owner = what == "an owner"
            acts.assign_owner(portal, contact, rep * self.model.owner, rep, at=at)
        self.then(then)

    # Deals -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.deals) < 3)
    @rule(then=pauses)
    def a_deal_is_opened(self, then: timedelta | None) -> None:
        at = self.now()
        self.deals.append(acts.create_deal(self.desk.portal, self.contact, owner=self.desk.rep, at=at))
        self.model.deals.append(Deal(len(self.deals), at, OPEN, at))
        self.portal_moves("opportunity", at)
        self.then(then)

    @precondition(lambda self: self.model.deals_in(OPEN))
    @rule(which=st.integers(0, 2), outcome=st.sampled_from((WON, *REASONS)), then=pauses)
    def a_deal_is_closed(self, which: int, outcome: str, then: timedelta | None) -> None:
        at, still_open = self.now(), self.model.deals_in(OPEN)
        deal = still_open[which % len(still_open)]
        deal.state, deal.at = outcome, at
        if outcome == WON:
            acts.win_deal(self.desk.portal, self.deals[deal.number - 1], at=at)
            self.portal_moves("customer", at)
        else:
            acts.lose_deal(self.desk.portal, self.deals[deal.number - 1], REASONS[outcome], at=at)
        self.then(then)

    def portal_moves(self, stage: str, at: datetime) -> None:
        """HubSpot's own deal sync, where the portal has it on: forward only."""
        if self.desk.portal.switches.deal_created_sets_opportunity and not self.model.at_or_beyond(stage):
            self.model.history["stage"].append(Entry(stage, at, "automation"))

    # hubsync -----------------------------------------------------------------------------------------------------

    @rule(pause=st.sampled_from(PAUSES))
    def time_passes_and_hubsync_looks(self, pause: timedelta) -> None:
        self.then(pause)

    def sync(self) -> None:
        now = self.now()
        outcome = self.desk.sync()
        assert outcome.run is not None
        self.last_run = outcome.run
        self.model.sync(now, outcome.run)
        self.synced = True
        note(f"   {[(c['rule'], c['to'], c['state']) for c in outcome.tally.changes]}, {outcome.tally.tasks}")

    @precondition(lambda self: self.last_run)
    @rule(allow_backward=st.booleans())
    def undo(self, allow_backward: bool) -> None:
        now = self.now()
        undone = write_undo(
            self.desk.session(), self.desk.store, self.last_run, GENEROUS, allow_backward=allow_backward
        )
        self.model.undo(now, self.last_run, allow_backward=allow_backward)
        note(f"   {[(c.write.target, c.state, c.why) for c in undone.changes]}")
        self.agree()

    @invariant()
    def what_holds_after_a_sync(self) -> None:
        if self.synced:
            self.synced = False
            self.agree()
            assert acted(self.desk.plan()) == [], "a second sync would write again"
            self.the_ledger_tells_what_was_written()
            self.no_later_choice_of_a_person_was_overwritten()

    def agree(self) -> None:
        """The portal shows what the model says."""
        model, desk = self.model, self.desk
        expected: dict[str, Any] = {name: shown(prop, model.value(prop)) for prop, name in NAMES.items()}
        found: dict[str, Any] = {name: desk.value(self.contact, name) or "" for name in NAMES.values()}
        due = [task.values["hs_timestamp"] for task in desk.tasks(self.contact)]
        stamp = [f"{model.task.due:%Y-%m-%dT%H:%M:%S}.{model.task.due.microsecond // 1000:03}Z"] if model.task else []
        found, expected = found | {"tasks": due}, expected | {"tasks": stamp}
        differing = {name: (found[name], expected[name]) for name in found if found[name] != expected[name]}
        assert not differing, f"(in the portal, by the playbook): {differing}"

    def the_ledger_tells_what_was_written(self) -> None:
        """Row by row: so that, its keys being unique, no cause has fired twice and no task was written twice."""
        ledger = [r for r in self.desk.ledger(self.contact) if r.state in {"applied", "undone", "overridden"}]
        for name in NAMES.values():
            rows = [r.after or "" for r in ledger if r.kind in {"set", "undo"} and r.target == name]
            assert rows == [w.after for w in self.desk.written(name) if w.id == self.contact], name
        made = {w.id for w in self.desk.portal.journal.writes if w.kind == "tasks" and w.after == "created"}
        tasks = [r for r in ledger if r.kind == "task"]
        assert sorted(str(r.object_id) for r in tasks) == sorted(made)
        assert len({(r.rule, r.cause_key) for r in tasks}) == len(tasks)

    def no_later_choice_of_a_person_was_overwritten(self) -> None:
        """Told by when people chose; to clear a value and set it again at once is no choice (D7)."""
        chosen = {n: [e.at for e in self.model.stays(p) if e.by == "person"] for p, n in NAMES.items()}
        for row in self.desk.ledger(self.contact):
            policy_rule = self.desk.bound().policy.rule(row.rule)
            if row.kind != "set" or row.state != "applied" or (policy_rule and policy_rule.hard):
                continue
            assert row.cause_at is not None
            assert row.answered_at is not None
            assert not [at for at in chosen.get(row.target, ()) if row.cause_at < at < row.answered_at], row

    def teardown(self) -> None:
        if hasattr(self, "contact"):
            acts.privacy_delete(self.desk.portal, self.contact)
            for deal in self.deals:
                self.desk.portal.purge("deals", deal)
            self.desk.store.close()
            shutil.rmtree(self.folder)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[type[Lives]]:
    """The machine at a desk of its own."""
    with Desk(tmp_path) as desk:
        desk.bound()
        desk.store.close()
        template = tmp_path / "template.db"
        shutil.copy(tmp_path / "desk.db", template)

        class AtTheDesk(Lives):
            pass

        AtTheDesk.desk, AtTheDesk.template = desk, template
        yield AtTheDesk


def test_every_life_ends_where_the_playbook_says(machine: type[Lives]) -> None:
    print(f"MODEL_LIVES={LIVES} MODEL_SEED={SEED}")
    chosen = settings(
        max_examples=LIVES or SHORT,
        stateful_step_count=30,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        derandomize=not LIVES,
        phases=(Phase.generate,) if os.environ.get("MODEL_UNSHRUNK") else (Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(SEED)(machine) if LIVES else machine, settings=chosen)
