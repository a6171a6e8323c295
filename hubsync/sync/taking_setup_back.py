"""Taking back what `hubsync setup` added, as long as nobody uses or has changed it; the rest is named and stays.

In use means that a contact has it, by the search index. The property group stays: an empty one is seen by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hubsync.errors import PortalPermanentError, PortalTemporaryError, RateLimited, SettingsError, TokenRefused
from hubsync.portal.gateway import Gateway
from hubsync.portal.values import Definition, NewProperty
from hubsync.store.store import Store
from hubsync.store.values import Run, RunState
from hubsync.sync.lease import PortalLease
from hubsync.sync.pacing import refuse_frozen
from hubsync.sync.plan import Row
from hubsync.sync.reconcile import Session
from hubsync.sync.setting_up import KIND, NO_ANSWER, TRIES, is_as_made

State = Literal["planned", "taken_back", "gone", "left", "refused"]


@dataclass(frozen=True, slots=True)
class Removal:
    """One thing that a setup added, and what becomes or became of it.

    gone: it isn't there any more. left: a group, which stays. refused: it is in use, or somebody changed it.
    """

    what: str
    target: str
    value: str
    label: str
    state: State = "planned"
    why: str = ""
    made: NewProperty | None = field(default=None, repr=False)
    """A property as it was made."""

    def row(self) -> Row:
        """As JSON has it."""
        return {
            "what": self.what,
            "property": self.target if self.what != "group" else None,
            "value": self.value or None,
            "label": self.label,
            "state": self.state,
            "why": self.why,
        }


@dataclass(slots=True)
class SetupUndoing:
    """What undoing a setup comes to, or came to. `run` is the undo's own number, None where nothing was written."""

    undoes: Run
    removals: list[Removal] = field(default_factory=list)
    run: int | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing was, or would be, refused."""
        return all(r.state != "refused" for r in self.removals)

    @property
    def has_work(self) -> bool:
        """Whether writing would do anything."""
        return any(r.state == "planned" for r in self.removals)


def is_setup(store: Store, portal: int, number: int) -> bool:
    """Whether that run is a setup, which is undone here."""
    run = store.run(portal, number)
    return run is not None and run.kind == KIND


def plan_setup_undo(session: Session, store: Store, number: int) -> SetupUndoing:
    """What undoing a setup would do; nothing is written. A search and a read for each thing it added."""
    run = store.run(session.portal.id, number)
    if run is None or run.kind != KIND:
        raise SettingsError(f"There is no setup with number {number}; hubsync runs lists them.")
    added = _added(store, session.portal.id, number)
    return SetupUndoing(run, [_judged(session.gateway, removal) for removal in added])


def write_setup_undo(session: Session, store: Store, number: int) -> SetupUndoing:
    """Undo a setup. Nothing to do makes no run. Raises StoreError where another run is writing to the portal."""
    portal = session.portal.id
    with PortalLease(store, portal, "hubsync undo --write") as lease:
        started = session.portal_now()
        refuse_frozen(session.pace, started)
        store.close_dead_runs(portal, started)
        undoing = plan_setup_undo(session, store, number)
        if not undoing.has_work:
            return undoing
        digest = session.portal.policy.digest
        undoing.run = store.start_run(portal, "undo", {"undoes": number}, digest, started, epoch=lease.epoch)
        state: RunState = "failed"
        try:
            _remove_all(session.gateway, undoing.removals)
            state = "done"
        except KeyboardInterrupt:
            state = "interrupted"
            raise
        finally:
            states = [f"changes_{r.state}" for r in undoing.removals if r.state != "planned"]
            counts = {name: states.count(name) for name in dict.fromkeys(states)}
            with lease.transaction():
                store.finish_run(portal, undoing.run, state, counts, session.portal_now())
    return undoing


def _added(store: Store, portal: int, number: int) -> list[Removal]:
    """What the run added, options before the properties, groups last; what it may have added when it was killed too."""
    found: dict[tuple[str, str, str], Removal] = {}
    for entry in store.plan(portal, number):
        body = entry.body
        key = (str(body["what"]), str(body["property"] or ""), str(body["value"] or ""))
        if entry.kind == "adding":
            made = body.get("made")
            found[key] = Removal(*key, label=str(body["label"]), made=_as_made(made) if made else None)
        elif entry.kind != "added":
            found.pop(key, None)
    order = {"option": 0, "property": 1, "group": 2}
    return sorted(found.values(), key=lambda r: order[r.what])


def recorded(store: Store, portal: int, number: int) -> list[Row]:
    """What a setup added, or tried to, as its record has it; where it was killed before the outcome: uncertain."""
    found: dict[tuple[str, str, str], Row] = {}
    for entry in store.plan(portal, number):
        row = {name: value for name, value in entry.body.items() if name != "made"}
        key = (str(row["what"]), str(row["property"] or row["label"]), str(row["value"] or ""))
        found[key] = {**row, "state": "uncertain" if entry.kind == "adding" else entry.kind}
    return list(found.values())


def _as_made(body: Mapping[str, Any]) -> NewProperty:
    return NewProperty(**{**body, "options": tuple((value, label) for value, label in body["options"])})


def _judged(gateway: Gateway, removal: Removal) -> Removal:
    if removal.what == "group":
        return replace(removal, state="left", why="a group without properties is shown nowhere")
    now = gateway.definition(removal.target)
    if now is None:
        return replace(removal, state="gone", why="it isn't there any more")
    changed = _changed(removal, now)
    if changed is not None:
        return changed
    value = removal.value if removal.what == "option" else None
    users = gateway.count_having(removal.target, value)
    if users:
        have = "1 contact has" if users == 1 else f"{users:,} contacts have"
        it = "it" if value is not None else "a value of it"
        return replace(removal, state="refused", why=f"in use: {have} {it}")
    return removal


def _changed(removal: Removal, now: Definition) -> Removal | None:
    """The removal where somebody changed what was added, None where it is as it was made."""
    if removal.what == "option":
        option = _option(now, removal.value)
        if option is None:
            return replace(removal, state="gone", why="it isn't there any more")
        label = str(option.get("label") or "")
        if label != removal.label:
            return replace(removal, state="refused", why=f'somebody renamed it to "{label}"')
        return None
    if removal.made is None or not is_as_made(now, removal.made):
        return replace(removal, state="refused", why="its definition was changed since")
    return None


def _option(now: Definition, value: str) -> Mapping[str, Any] | None:
    return next((o for o in now.options if str(o["value"]) == value), None)


def _remove_all(gateway: Gateway, removals: list[Removal]) -> None:
    """Take back what is planned, in place: a property's options at once, then properties one by one."""
    planned = [r for r in removals if r.state == "planned"]
    options = [r for r in planned if r.what == "option"]
    for target in dict.fromkeys(r.target for r in options):
        of_one = [r for r in options if r.target == target]
        _put(removals, of_one, lambda some: _drop_options(gateway, some))
    for removal in planned:
        if removal.what == "property":
            _put(removals, [removal], lambda some: _archive(gateway, some[0]))


def _put(removals: list[Removal], some: Sequence[Removal], remove: Callable[[Sequence[Removal]], bool]) -> None:
    """Remove some, and put what became of them in their places."""
    try:
        gone, why = remove(some), NO_ANSWER
    except TokenRefused:
        raise
    except PortalPermanentError as error:
        gone, why = False, str(error)
    for removal in some:
        done = replace(removal, state="taken_back") if gone else replace(removal, state="refused", why=why)
        removals[removals.index(removal)] = done


def _archive(gateway: Gateway, removal: Removal) -> bool:
    for _ in range(TRIES):
        try:
            gateway.archive_property(removal.target)
        except RateLimited:
            raise
        except PortalTemporaryError:
            if gateway.definition(removal.target) is None:
                return True
        else:
            return True
    return False


def _drop_options(gateway: Gateway, some: Sequence[Removal]) -> bool:
    """Send a property's newest list without these options until they are gone; all others stay exactly as they are."""
    target, values = some[0].target, {removal.value for removal in some}
    for attempt in range(TRIES + 1):
        now = gateway.definition(target)
        rest = [o for o in now.options if str(o["value"]) not in values] if now is not None else []
        if now is None or len(rest) == len(now.options):
            return True
        if attempt < TRIES:
            try:
                gateway.replace_options(target, rest)
            except RateLimited:
                raise
            except PortalTemporaryError:
                continue  # the next reading tells whether it came to pass
    return False
