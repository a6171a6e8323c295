"""What the rules need of a portal and it lacks: options of Lead status, and hubsync's own properties (playbook D4).

Only adds. What is the portal's own is never deleted, reordered, renamed or un-hidden. HubSpot replaces a property's
whole list of options and has no conditional write: so the list is read just before, sent back exactly as read with
ours behind it, and read again; where ours are not there then, because somebody saved an older list, they are put on
top of the newest one. What remains is the time of one call, in which another's new option would be lost unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from hubsync.errors import PortalPermanentError, PortalTemporaryError, RateLimited, TokenRefused
from hubsync.policy.portal_spec import PortalSpec, PropertySpec
from hubsync.policy.vocabulary import STATUS
from hubsync.portal.gateway import Gateway
from hubsync.portal.values import Definition, NewProperty
from hubsync.store.store import Store
from hubsync.store.values import PlanEntry, RunState
from hubsync.sync.adopting import admit
from hubsync.sync.binding import BoundPortal
from hubsync.sync.lease import PortalLease
from hubsync.sync.pacing import refuse_frozen
from hubsync.sync.plan import Row
from hubsync.sync.reconcile import Session

KIND = "setup"
"""Of runs that added definitions; `hubsync undo` takes those back by sync/taking_setup_back.py."""
GROUP = "hubsync"
TRIES = 4
"""Writes to one property, where others change it at the same time or answers are lost."""
FIELD_TYPES = {
    "string": "text",
    "number": "number",
    "date": "date",
    "datetime": "date",
    "bool": "booleancheckbox",
    "enumeration": "select",
}
"""HubSpot's fieldType for each type of property (properties guide)."""
YES_NO = (("true", "Yes"), ("false", "No"))

What = Literal["group", "property", "option"]
State = Literal["planned", "added", "present", "refused"]


@dataclass(frozen=True, slots=True)
class Addition:
    """One thing to be added, and what became of it. `target` is the internal name of the property, or of the group.

    `value` is an option's internal value, `label` what people read.

    present: somebody else added it meanwhile. refused: it can't be added; `why` says what to do.
    """

    what: What
    target: str
    value: str
    label: str
    state: State = "planned"
    why: str = ""

    @property
    def name(self) -> str:
        """In a few words, for lists."""
        return f"{self.what} {self.target} {self.value}".strip()

    def row(self) -> Row:
        """As JSON has it; null where it isn't an option."""
        return {
            "what": self.what,
            "property": self.target if self.what != "group" else None,
            "value": self.value or None,
            "label": self.label,
            "state": self.state,
            "why": self.why,
        }


@dataclass(slots=True)
class Setup:
    """What setting up comes to, or came to. `run` is None where nothing was written."""

    additions: list[Addition] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What setup sees and leaves to people."""
    missing_scopes: tuple[str, ...] = ()
    run: int | None = None

    @property
    def has_work(self) -> bool:
        """Whether writing would do anything."""
        return any(a.state == "planned" for a in self.additions)

    @property
    def whole(self) -> bool:
        """Whether nothing was, or would be, refused."""
        return not self.missing_scopes and all(a.state != "refused" for a in self.additions)


def plan_setup(gateway: Gateway, portal: BoundPortal, spec: PortalSpec) -> Setup:
    """What `spec` needs and the portal lacks; nothing is written. A call per property with options, and one or two."""
    setup = Setup(notes=_notes(portal, spec))
    setup.additions += _options_of(gateway, STATUS, _missing_statuses(portal, spec))
    for name, wanted in spec.properties.items():
        found = portal.definitions.get(name)
        if found is None:
            setup.additions.append(Addition("property", name, "", wanted.label))
        elif found.type != wanted.type:
            why = f"the portal has one of that name, of type {found.type} instead of {wanted.type}; rename one of them"
            setup.additions.append(Addition("property", name, "", wanted.label, "refused", why))
        elif wanted.type == "enumeration":
            there = {option.value for option in found.options}
            setup.additions += _options_of(gateway, name, [o for o in _options(wanted) if o[0] not in there])
    creates = any(a.what == "property" and a.state == "planned" for a in setup.additions)
    if creates and GROUP not in gateway.property_groups():
        setup.additions.insert(0, Addition("group", GROUP, "", GROUP))
    if setup.has_work:
        setup.missing_scopes = gateway.lacks_to_define()
    return setup


def has_to_add(portal: BoundPortal, spec: PortalSpec) -> bool:
    """Whether the portal lacks something that setup adds; asks HubSpot for nothing."""
    return bool(_missing_statuses(portal, spec)) or not spec.properties.keys() <= portal.definitions.keys()


def write_setup(session: Session, store: Store, spec: PortalSpec) -> Setup:
    """Add what is missing, as a run that `hubsync undo` can take back. Nothing to add makes no run.

    Raises TokenRefused before the first write where the token may not change definitions, StoreError where another run
    is writing to the portal, or where the database is new and a hubsync was at work there before: after a run of its
    own it would be taken for one that knows the portal.
    """
    portal = session.portal
    with PortalLease(store, portal.id, "hubsync setup --write") as lease:
        started = session.portal_now()
        refuse_frozen(session.pace, started)
        admit(session.gateway, store, portal, session.app_id, started, adopt=False)
        store.close_dead_runs(portal.id, started)
        setup = plan_setup(session.gateway, portal, spec)
        if not setup.has_work:
            return setup
        if setup.missing_scopes:
            raise TokenRefused(
                f"The token may not change property definitions: it lacks {', '.join(setup.missing_scopes)}. Nothing "
                "was written. Add the scope to the service key or app.",
                status=403,
                scopes=setup.missing_scopes,
            )
        store.remember_portal(
            portal.id, at=started, time_zone=portal.account.time_zone, ui_domain=portal.account.ui_domain
        )
        adds = {"adds": [a.name for a in setup.additions if a.state == "planned"]}
        setup.run = store.start_run(portal.id, KIND, adds, portal.policy.digest, started, epoch=lease.epoch)
        state: RunState = "failed"
        try:
            _Adder(session.gateway, store, lease, setup).add_all(spec)
            state = "done"
        except KeyboardInterrupt:
            state = "interrupted"
            raise
        finally:
            with lease.transaction():
                store.finish_run(portal.id, setup.run, state, counts_of(setup.additions), session.portal_now())
    return setup


def counts_of(additions: Iterable[Addition]) -> dict[str, int]:
    """What a run counts of what it did, by outcome."""
    states = [f"changes_{a.state}" for a in additions if a.state != "planned"]
    return {state: states.count(state) for state in dict.fromkeys(states)}


class _Adder:
    """Writes one setup. Each addition is in the run's record before its call, and its outcome after it."""

    def __init__(self, gateway: Gateway, store: Store, lease: PortalLease, setup: Setup) -> None:
        self.gateway = gateway
        self.store = store
        self.lease = lease
        self.setup = setup

    def add_all(self, spec: PortalSpec) -> None:
        planned = [a for a in self.setup.additions if a.state == "planned"]
        for addition in planned:
            if addition.what == "group":
                self._tell(addition, self._try(addition, self._group))
        for addition in planned:
            if addition.what == "property":
                self._tell(
                    addition,
                    self._try(
                        addition, self._property, new_property(addition.target, spec.properties[addition.target])
                    ),
                )
        options = [a for a in planned if a.what == "option"]
        for name in dict.fromkeys(a.target for a in options):
            self._options(name, [a for a in options if a.target == name])

    def _try(self, addition: Addition, add: Callable[..., Addition], *made: NewProperty) -> Addition:
        self._record("adding", [addition], *made)
        try:
            return add(addition, *made)
        except TokenRefused:
            raise
        except PortalPermanentError as error:
            return replace(addition, state="refused", why=str(error))

    def _group(self, addition: Addition) -> Addition:
        for _ in range(TRIES):
            try:
                created = self.gateway.create_property_group(GROUP, GROUP)
            except PortalTemporaryError as error:
                _pass_on_limits(error)
                if GROUP in self.gateway.property_groups():
                    return replace(addition, state="added")
            else:
                return replace(addition, state="added" if created else "present")
        return replace(addition, state="refused", why=NO_ANSWER)

    def _property(self, addition: Addition, new: NewProperty) -> Addition:
        for _ in range(TRIES):
            lost = False
            try:
                if self.gateway.create_property(new):
                    return replace(addition, state="added")
            except PortalTemporaryError as error:
                _pass_on_limits(error)
                lost = True
            found = self.gateway.definition(new.name)
            if found is not None:
                ours = lost and is_as_made(found, new)
                return replace(addition, state="added" if ours else "present")
            if not lost:
                why = "HubSpot says that the name is taken; look among the archived properties and restore it there"
                return replace(addition, state="refused", why=why)
        return replace(addition, state="refused", why=NO_ANSWER)

    def _options(self, name: str, wanted: Sequence[Addition]) -> None:
        self._record("adding", wanted)
        try:
            done = self._put_options(name, wanted)
        except TokenRefused:
            raise
        except PortalPermanentError as error:
            done = [replace(a, state="refused", why=str(error)) for a in wanted]
        for before, after in zip(wanted, done, strict=True):
            self._tell(before, after)

    def _put_options(self, name: str, wanted: Sequence[Addition]) -> list[Addition]:
        """Put ours behind the newest list until they are in it; an option somebody else removed stays removed."""
        sent: set[str] = set()
        for attempt in range(TRIES + 1):
            now = self.gateway.definition(name)
            judged = [replace(a, state="refused", why="the property is gone") for a in wanted]
            if now is not None:
                judged = [_judged(a, now) for a in wanted]
            missing = [a for a in judged if a.state == "planned"]
            if now is None or not missing or attempt == TRIES:
                break
            sent |= {a.value for a in missing}
            try:
                self.gateway.replace_options(name, (*now.options, *_behind(now, missing)))
            except PortalTemporaryError as error:
                _pass_on_limits(error)  # else the next reading tells whether it came to pass
        return [_settled(a, sent) for a in judged]

    def _record(self, kind: str, additions: Sequence[Addition], *made: NewProperty) -> None:
        """Into the run's plan: what is about to be added (a property as it is made), or what became of it."""
        more = {"made": asdict(made[0])} if made else {}
        entries = [PlanEntry(None, kind, None, {**a.row(), **more}) for a in additions]
        with self.lease.transaction():
            self.store.append_plan(self.lease.portal, self.setup.run or 0, entries)

    def _tell(self, before: Addition, after: Addition) -> None:
        self.setup.additions[self.setup.additions.index(before)] = after
        self._record(after.state, [after])


NO_ANSWER = "HubSpot gave no answer; do it again, which settles what is left"


def _pass_on_limits(error: PortalTemporaryError) -> None:
    if isinstance(error, RateLimited):
        raise error


def _settled(addition: Addition, sent: set[str]) -> Addition:
    """The outcome of an option, by the last reading. One that is still missing was taken off the list every time."""
    if addition.state == "present" and addition.value in sent:
        return replace(addition, state="added", why="")
    if addition.state == "planned":
        why = "it was sent, and is not in the list: somebody saves another list at the same time; run setup again"
        return replace(addition, state="refused", why=why)
    return addition


def _missing_statuses(portal: BoundPortal, spec: PortalSpec) -> list[tuple[str, str]]:
    return [
        (status.value or key.upper(), status.labels.get("en") or next(iter(status.labels.values()), key))
        for key, status in spec.statuses.items()
        if key not in portal.policy.statuses.by_key
    ]


def _options_of(gateway: Gateway, name: str, wanted: Sequence[tuple[str, str]]) -> list[Addition]:
    """The options to be added to a property, each judged on its present list."""
    found = gateway.definition(name) if wanted else None
    return [_judged(Addition("option", name, value, label), found) for value, label in wanted if found is not None]


def _judged(addition: Addition, now: Definition) -> Addition:
    """Whether an option can be added to a property as it is now."""
    values = {str(option["value"]) for option in now.options}
    if addition.value in values:
        return replace(addition, state="present")
    near = next((value for value in values if value.casefold() == addition.value.casefold()), None)
    if near is not None:
        why = f'the portal has "{near}", which differs in upper and lower case alone; write it as value in portal.yaml'
        return replace(addition, state="refused", why=why)
    for option in now.options:
        if str(option.get("label") or "").strip().casefold() == addition.label.strip().casefold():
            why = (
                f'the label "{addition.label}" is that of option {option["value"]}; rename one, there or in portal.yaml'
            )
            return replace(addition, state="refused", why=why)
    if now.fixed_options:
        why = f"HubSpot lets nobody change the options of {now.label or now.name}"
        return replace(addition, state="refused", why=why)
    return addition


def _behind(now: Definition, missing: Sequence[Addition]) -> list[Mapping[str, Any]]:
    """Options as HubSpot takes them, placed behind the present ones (an order below zero means: last, as listed)."""
    orders = [int(o.get("displayOrder") or 0) for o in now.options]
    after = max(orders, default=-1) + 1
    return [
        {
            "value": a.value,
            "label": a.label,
            "description": "",
            "displayOrder": -1 if any(order < 0 for order in orders) else after + number,
            "hidden": False,
        }
        for number, a in enumerate(missing)
    ]


def new_property(name: str, wanted: PropertySpec) -> NewProperty:
    """A property of portal.yaml as it is created."""
    return NewProperty(
        name, wanted.label, wanted.type, FIELD_TYPES[wanted.type], GROUP, wanted.description, _options(wanted)
    )


def _options(wanted: PropertySpec) -> tuple[tuple[str, str], ...]:
    if wanted.type == "bool":
        return YES_NO
    return tuple((value, value.replace("_", " ").capitalize()) for value in wanted.options)


def is_as_made(found: Definition, new: NewProperty) -> bool:
    """Whether a property is as `create_property` makes it: nobody has changed it since."""
    values = {str(option["value"]) for option in found.options}
    return (found.label, found.type, found.description) == (new.label, new.type, new.description) and values == {
        value for value, _ in new.options
    }


def _notes(portal: BoundPortal, spec: PortalSpec) -> list[str]:
    hidden = {o.value for o in portal.definitions[STATUS].options if o.hidden}
    notes = [
        f"Lead status {term.label} ({term.value}) is hidden in the portal. Setup leaves it so; un-hide it in HubSpot "
        "where people are to choose it."
        for term in portal.policy.statuses.terms
        if term.value in hidden
    ]
    for key, stage in spec.stages.items():
        if key not in portal.policy.stages.by_key and not stage.optional:
            notes.append(
                f'Lifecycle stage "{key}" is missing. Setup adds no stages: add it in HubSpot (Settings > Objects > '
                "Contacts > Lifecycle Stage), or mark it optional in portal.yaml."
            )
    return notes
