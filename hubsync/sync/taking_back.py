"""What undoing a run comes to: its changes and tasks, each with a verdict on how HubSpot is now (playbook G2).

Position decides, not clocks (standing.py): a value is put back only where ours is still the newest. Reads only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from hubsync.errors import SettingsError
from hubsync.policy.contact import Contact
from hubsync.policy.invalid import hard_cell
from hubsync.policy.rules import Rule
from hubsync.policy.view import Missing
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.store.purging import COUNTED
from hubsync.store.store import Store
from hubsync.store.values import NOTICES, Run, Write
from hubsync.sync.binding import BoundPortal
from hubsync.sync.book import TASK_COMPLETED, is_untouched
from hubsync.sync.plan import Row
from hubsync.sync.purging import unknown_run
from hubsync.sync.reconcile import Session
from hubsync.sync.standing import Verdict, judge, moves_backward
from hubsync.sync.writing import BATCH

ChangeState = Literal["planned", "applied", "not_applied", "refused", "skipped", "uncertain", "overridden"]
"""overridden: a person had set another value in that very moment, and that was put back."""
TaskState = Literal["planned", "taken_back", "left", "gone", "refused"]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the run, and what undoing it comes to or came to. `backward`: a stage is moved backward."""

    write: Write
    now: str | None
    state: ChangeState
    why: str
    backward: bool = False

    def row(self) -> Row:
        """As JSON has it; null stands for empty."""
        return {
            "contact": self.write.contact,
            "property": self.write.target,
            "from": self.now or None,
            "to": self.write.before or None,
            "state": self.state,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class TaskBack:
    """One task of the run, and what becomes or became of it."""

    write: Write
    state: TaskState
    why: str

    def row(self) -> Row:
        """As JSON has it."""
        return {
            "contact": self.write.contact,
            "task": self.write.object_id,
            "subject": self.write.after,
            "state": self.state,
            "why": self.why,
        }


@dataclass(slots=True)
class Undoing:
    """What undoing a run comes to, or came to. `run` is the undo's own number, None where nothing was written."""

    undoes: Run
    run: int | None = None
    changes: list[Change] = field(default_factory=list)
    tasks: list[TaskBack] = field(default_factory=list)
    told: list[Write] = field(default_factory=list)
    """Digest entries and alerts that nobody has been told yet: they are dropped."""
    before: int = 0
    """Changes of the run that were undone already."""
    purged: int = 0
    """Writes of the run that a purge took: later ones of ours had long replaced them, or their tasks were closed."""
    overwrote: int = 0
    """Values written over unseen that were not put back; each is named."""

    @property
    def whole(self) -> bool:
        """Whether nothing was refused, skipped or left, and nobody's value written over."""
        fine = all(c.state in {"planned", "applied"} for c in self.changes) and not self.overwrote
        return fine and all(t.state in {"planned", "taken_back", "gone"} for t in self.tasks)

    @property
    def has_work(self) -> bool:
        """Whether writing would do anything."""
        return (
            any(c.state == "planned" for c in self.changes)
            or any(t.state in {"planned", "gone"} for t in self.tasks)
            or bool(self.told)
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """A change of the run with its verdict as of the newest read, and what the contact was then."""

    row: Write
    verdict: Verdict
    facts: dict[str, str | None]


def of_run(store: Store, portal: int, number: int) -> tuple[Undoing, list[Write], list[Write]]:
    """The run with what may be undone of it: changes that landed, tasks that were created."""
    run = store.run(portal, number)
    if run is None:
        raise unknown_run(store, portal, number)
    if run.kind == "undo":
        raise SettingsError(
            f"Run {number} is itself an undo, of run {run.args.get('undoes')}; an undo isn't undone. Set the values by "
            "hand, or let the rules act on what happens next."
        )
    rows = store.writes_of_run(portal, number)
    undoing = Undoing(run, before=sum(r.state == "undone" for r in rows), purged=run.counts.get(COUNTED, 0))
    undoing.told = [r for r in rows if r.kind in NOTICES and r.state == "applied" and r.closed_at is None]
    changes = [r for r in rows if r.kind == "set" and r.state == "applied"]
    return undoing, changes, [r for r in rows if r.kind == "task" and r.state == "applied" and r.object_id]


def by_contact(rows: Iterable[Write]) -> Iterator[list[Write]]:
    """Rows in batches of at most 100 contacts, a contact's rows together."""
    contacts: dict[str, list[Write]] = {}
    for row in rows:
        contacts.setdefault(row.contact, []).append(row)
    groups = list(contacts.values())
    for start in range(0, len(groups), BATCH):
        yield [row for group in groups[start : start + BATCH] for row in group]


def judge_all(session: Session, store: Store, rows: Sequence[Write], allow_backward: bool) -> list[Judged]:
    """Verdicts on `rows`, on the contacts as they are now: ⌈contacts/50⌉ calls, a few more where deals must tell."""
    portal = session.portal
    names = sorted({r.target for r in rows if r.target in portal.definitions} | {STATUS, STAGE})
    contacts = list(dict.fromkeys(r.contact for r in rows))
    found = session.gateway.read_contacts(contacts, sorted({*portal.policy.properties, *names}), names).found
    ledger = store.ledger_of(portal.id, contacts)
    judged = []
    for row in rows:
        contact = found.get(row.contact)
        verdict = judge(row, contact, ledger.get(row.contact, ()), portal, allow_backward=allow_backward)
        facts = {n: contact.properties.get(n) for n in (STATUS, STAGE)} if contact is not None else {}
        judged.append(Judged(row, verdict, facts))
    return _without_those_set_again(session, judged, found)


def _without_those_set_again(session: Session, judged: Sequence[Judged], found: Mapping[str, Contact]) -> list[Judged]:
    """Refuse what would lead to a combination that a hard cell of the matrix corrects, whoever chose it (C2)."""
    would_be: dict[str, dict[str, str | None]] = {}
    for item in judged:
        if item.verdict.state == "planned" and item.row.target in {STATUS, STAGE}:
            would_be.setdefault(item.row.contact, {})[item.row.target] = item.row.before
    views = {id_: replace(found[id_], properties={**found[id_].properties, **v}) for id_, v in would_be.items()}
    against = {id_: hard_cell(session.portal.policy, contact, session.portal_now()) for id_, contact in views.items()}
    unknown = [id_ for id_, answer in against.items() if isinstance(answer, Missing)]
    if unknown:
        deals = session.gateway.deals_of(unknown)
        for id_ in unknown:
            contact = replace(views[id_], deals=deals.get(id_, ()))
            against[id_] = hard_cell(session.portal.policy, contact, session.portal_now())
    return [_refused_by(item, against.get(item.row.contact)) for item in judged]


def _refused_by(item: Judged, rule: Rule | Missing | None) -> Judged:
    sets = {a.property for a in rule.sets} if isinstance(rule, Rule) else set()
    if not isinstance(rule, Rule) or item.verdict.state != "planned" or item.row.target not in sets:
        return item
    why = f"hard correction while rule {rule.id} is on: it would change it again"
    return replace(item, verdict=Verdict("refused", why, item.verdict.now))


def change_of(judged: Judged, portal: BoundPortal, state: ChangeState | None = None, why: str = "") -> Change:
    verdict = judged.verdict
    shown: ChangeState = "planned" if verdict.state == "done" else verdict.state
    return Change(
        judged.row, verdict.now, state or shown, why or verdict.why, backward=moves_backward(judged.row, portal)
    )


def tasks_of(session: Session, rows: Sequence[Write]) -> list[TaskBack]:
    """What becomes of the run's tasks: an untouched one goes, one that a person touched stays."""
    present = session.gateway.read_tasks([r.object_id for r in rows if r.object_id]) if rows else {}
    found = []
    for row in rows:
        task = present.get(row.object_id or "")
        if task is None:
            found.append(TaskBack(row, "gone", "task gone already"))
        elif task.status == TASK_COMPLETED:
            found.append(TaskBack(row, "left", "task left: completed"))
        elif not is_untouched(task, row):
            found.append(TaskBack(row, "left", "task left: edited or started"))
        else:
            found.append(TaskBack(row, "planned", "task taken back"))
    return found
