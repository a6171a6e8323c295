"""`hubsync demo`: hubsync at its main job, on a sandbox portal, over real HTTP.

Audit, plan, a trial on ten contacts, everything, a second run that finds nothing, an undo. What is printed is what
happened: every number comes from the run, nothing is staged but the portal.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from hubsync.cli.build import local_now
from hubsync.cli.guard import WHY
from hubsync.cli.options import Format
from hubsync.cli.output import Column, Report, Table, emit
from hubsync.policy.pacing import CAP
from hubsync.policy.policy import Horizon
from hubsync.portal.gateway import Gateway
from hubsync.rulefiles.load import LoadedRules, load_rules
from hubsync.sandbox import Portal, Sandbox, SandboxClock
from hubsync.sandbox.population import populate
from hubsync.settings import default_rules
from hubsync.store.database import open_store
from hubsync.store.store import Store
from hubsync.sync import reconcile
from hubsync.sync.audit import Audited, run_audit
from hubsync.sync.backlog import Categories
from hubsync.sync.binding import bind
from hubsync.sync.book import Book
from hubsync.sync.explain import story
from hubsync.sync.guard import Limits
from hubsync.sync.looking import Looker
from hubsync.sync.plan import Row
from hubsync.sync.reconcile import Outcome, Session
from hubsync.sync.scope import Scope
from hubsync.sync.spool import Spool
from hubsync.sync.undo import write_undo

CONTACTS, DAYS, TRIAL, STORIES = 500, 90, 10, 3
LIMITS = Limits(share=1.0, at_least=CONTACTS, tasks=CONTACTS)
"""The sandbox is made to be corrected: about a quarter of it, which the guard of a real portal would refuse."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What the demo plays on."""

    box: Sandbox
    gateway: Gateway
    rules: LoadedRules
    session: Session
    store: Store


def demo(
    context: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the portal running afterwards, until Ctrl-C.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Another seed makes another portal.")] = 1,
) -> int:
    """Watch hubsync at work on a sandbox portal: audit, plan, writes, a second run, an undo. Needs no account."""
    del context
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hubsync-demo-") as folder, _stage(Path(folder), seed) as stage:
        _audit(stage)
        outcome = _plan(stage)
        trial = _trial(stage, outcome)
        written = _write(stage)
        _explain(stage, written)
        _again(stage)
        _one_off(stage, Path(folder))
        _undo(stage, trial)
        _head("That was it")
        _say(f"{stage.gateway.calls} calls to the portal's API in {time.monotonic() - began:.0f} seconds.")
        _say("Next, on your own portal and without risk: hubsync init my-portal, a token into its .env, hubsync audit.")
        if keep:
            _keep(stage, Path(folder))
        else:
            _say("To look around in this portal yourself: hubsync demo --keep")
    return 0


@contextlib.contextmanager
def _stage(folder: Path, seed: int) -> Iterator[Stage]:
    _head(f"A HubSpot portal on this machine: {CONTACTS} leads, {DAYS} days of history")
    portal = Portal(clock=SandboxClock(), seed=seed)
    with portal.journal.paused():
        people = populate(portal, contacts=CONTACTS, days=DAYS, seed=seed)
    rules = load_rules(default_rules())
    with contextlib.ExitStack() as stack:
        box = stack.enter_context(Sandbox(portal))
        gateway = stack.enter_context(Gateway(box.url, lambda: box.token))
        store = stack.enter_context(open_store("sqlite:///hubsync.db", base=folder))
        since = people.since - timedelta(days=1)
        bound = bind(gateway, rules)
        pace = rules.pace(bound.account.time_zone, bound.policy.owner_teams)
        session = Session(gateway, bound, store, local_now, since, pace=pace)
        _say(f"{len(people.offices.owners)} owners in three teams, {len(people.companies)} companies, at {box.url}.")
        _say("Reps mail and call, leads answer, deals are won and lost; nobody kept the two fields in step.")
        yield Stage(box, gateway, rules, session, store)


def _audit(stage: Stage) -> None:
    _head("1. hubsync audit: what breaks the policy now?")
    session, policy = stage.session, stage.session.portal.policy
    now = session.portal_now()
    book = Book(stage.store, session.portal.id, None, now=now)
    looker = Looker(stage.gateway, policy, Horizon(session.effective_since), session.portal_now, book, tasks=False)
    before = stage.gateway.calls
    categories = Categories(policy, stage.rules.files.portal.backlog)
    with Spool[Audited]() as spool:
        found = run_audit(
            session.portal, looker.over(stage.gateway.all_contacts(policy.properties)), categories, spool, now
        )
    order = ["correct", "propose", "report", "portal"]
    rows = sorted(found.by_rule.items(), key=lambda kv: (order.index(kv[0][2]), -kv[1], kv[0][1]))
    _table(
        ("Playbook", "Contacts", "Kind", "For example"),
        [(playbook, count, kind, found.messages[rule]) for (playbook, rule, kind, _), count in rows],
    )
    _say(f"{found.found} findings in {found.contacts} contacts, {stage.gateway.calls - before} calls; nothing written.")


def _plan(stage: Stage) -> Outcome:
    _head("2. hubsync sync: the plan")
    outcome = reconcile.plan(replace(stage.session), Scope(full=True))
    planned = [r for r in outcome.tally.changes if r["state"] == "planned"]
    _table(
        ("Contact", "Playbook", "Property", "From", "To", "Because of"),
        [(r["contact"], r["playbook"], r["property"], r["from"] or "none", r["to"], _cause(r)) for r in planned[:8]],
    )
    proposed = sum(r["state"] == "proposed" for r in outcome.tally.changes)
    _say(
        f"… {len(planned)} changes and {len(outcome.tally.tasks)} tasks in all; {proposed} more are only proposed. "
        "Nothing was written."
    )
    _say_what_waits(stage, outcome)
    return outcome


def _trial(stage: Stage, plan: Outcome) -> Outcome:
    _head(f"3. hubsync sync --contact … --write: {TRIAL} contacts first, to see")
    chosen = list(dict.fromkeys(r["contact"] for r in plan.tally.changes if r["state"] == "planned"))[:TRIAL]
    outcome = reconcile.write(stage.session, stage.store, Scope(contacts=tuple(chosen)), LIMITS)
    _say(f"Run {outcome.run}: {_counts(outcome)}.")
    return outcome


def _write(stage: Stage) -> Outcome:
    _head("4. hubsync sync --write: all the others")
    before = stage.gateway.calls
    outcome = reconcile.write(stage.session, stage.store, Scope(full=True), LIMITS)
    _say(f"Run {outcome.run}: {_counts(outcome)}, with {stage.gateway.calls - before} calls.")
    _say_what_waits(stage, outcome)
    return outcome


def _explain(stage: Stage, outcome: Outcome) -> None:
    _head("5. hubsync explain: why?")
    chosen: dict[str, str] = {}
    for row in outcome.tally.changes:
        if row["state"] == "applied" and row["contact"] not in chosen.values():
            chosen.setdefault(row["playbook"], row["contact"])
    for contact in list(chosen.values())[:STORIES]:
        _say(story(stage.session, contact))


def _again(stage: Stage) -> None:
    _head("6. hubsync sync --write, once more")
    outcome = reconcile.write(stage.session, stage.store, Scope(full=True), LIMITS)
    done = [r for r in (*outcome.tally.changes, *outcome.tally.tasks) if r["state"] != "proposed"]
    _say("Nothing was left to do." if not done else f"{_counts(outcome)}: this should have been nothing.")
    _say_what_waits(stage, outcome)


def _one_off(stage: Stage, folder: Path) -> None:
    script = default_rules().parent / "scripts" / "audit_combinations.py"
    if not script.is_file():
        return  # scripts stand in the repository, not in the installed package
    _head("7. scripts/audit_combinations.py: a one-off of forty lines, on the same functions")
    environment = {**os.environ, "HUBSYNC_API_URL": stage.box.url, "HUBSYNC_ACCESS_TOKEN": stage.box.token}
    answer = subprocess.run(  # noqa: S603  (our own script)
        [sys.executable, str(script)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    _say((answer.stdout or answer.stderr).rstrip())


def _undo(stage: Stage, trial: Outcome) -> None:
    _head(f"8. hubsync undo {trial.run} --write: the trial on {TRIAL} contacts is taken back")
    outcome = write_undo(stage.session, stage.store, trial.run or 0, LIMITS, allow_backward=True)
    _say(f"Run {outcome.run}: " + _told(c.state for c in outcome.changes) + f"; {len(outcome.tasks)} tasks taken back.")
    for reason in dict.fromkeys(c.why for c in outcome.changes if c.state != "applied" and c.why):
        _say(f"  Not taken back: {reason}")
    after = reconcile.plan(stage.session, Scope(full=True))
    undone = {(r["contact"], r["rule"]) for r in (*trial.tally.changes, *trial.tally.tasks) if r["state"] == "applied"}
    left = [r for r in (*after.tally.changes, *after.tally.tasks) if r["state"] == "planned"]
    again = sum((r["contact"], r["rule"]) in undone for r in left)
    _say(f"A plan after that would do {again} of it again: what was undone stays undone.")


def _keep(stage: Stage, folder: Path) -> None:
    _head("The portal stays up until Ctrl-C. In another terminal:")
    since = stage.session.effective_since
    for line in (
        f"export HUBSYNC_API_URL={stage.box.url} HUBSYNC_ACCESS_TOKEN={stage.box.token}",
        f"export HUBSYNC_DATABASE_URL=sqlite:///{folder / 'hubsync.db'}",
        *([f"export HUBSYNC_EFFECTIVE_SINCE={since:%Y-%m-%dT%H:%M:%SZ}"] if since else []),
        "hubsync audit; hubsync runs; hubsync explain " + _any_contact(stage),
    ):
        _say(line)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


def _any_contact(stage: Stage) -> str:
    rows = stage.store.writes_of_run(stage.session.portal.id, 1)
    return rows[0].contact if rows else "ID"


def _cause(row: Row) -> str:
    cause = row["cause"]
    return f"{cause['kind'].replace('_', ' ')}, {cause['at'][:10]}"


def _counts(outcome: Outcome) -> str:
    changes = _told(row["state"] for row in outcome.tally.changes)
    tasks = sum(r["state"] == "applied" for r in outcome.tally.tasks)
    return f"changes: {changes or 'none'}; {tasks} tasks created"


def _say_what_waits(stage: Stage, outcome: Outcome) -> None:
    """Tasks that are not for now (B4, B5), and why: the demo goes at the pace of a real portal."""
    pace = stage.session.pace
    counts = Counter(row["why"] for row in outcome.tally.held if row.get("why") in WHY and "subject" in row)
    for why, count in counts.most_common():
        _say(f"{count} task{' waits' if count == 1 else 's wait'}: {WHY[why]}.")
        if why == CAP and pace is not None:
            _say(f"  At most {pace.per_owner} new ones an owner and day; one task names the rest, which come tomorrow.")


def _told(states: Iterable[str]) -> str:
    """How many of each: "93 applied, 3 superseded"."""
    counts = Counter(states)
    return ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in counts.most_common())


def _head(text: str) -> None:
    typer.echo()
    typer.secho(text, bold=True)


def _say(text: str) -> None:
    typer.echo(text)


def _table(titles: tuple[str, ...], rows: list[tuple[str | int, ...]]) -> None:
    columns = [Column(t.lower(), t, numeric=t == "Contacts") for t in titles]
    emit(Report(title="", table=Table(columns, rows)), form=Format.TABLE)
