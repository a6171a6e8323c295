"""From a case's words to the contact that a decision sees: properties, history, deals, engagements, what hubsync wrote.

Values that no act sets have stood since the contact was created, 30 days before `now`, set by an automation, so that no
person's choice hides a rule. It must not know what the rules make of the contact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hubsync.policy.causes import ledger_key
from hubsync.policy.changes import CompletedTask, Decision, OpenTask
from hubsync.policy.contact import Contact, Deal, OurWrite, StageVisit
from hubsync.policy.facts import FACTS
from hubsync.policy.instants import instant_or_none
from hubsync.policy.policy import Policy
from hubsync.policy.timeline import AUTOMATION, PERSON, WRITER_KINDS
from hubsync.policy.view import Missing, View
from hubsync.policy.vocabulary import STAGE, STATUS, Terms
from hubsync.policy.words import did_you_mean
from hubsync.rulefiles.case_spec import ActSpec, DealAct
from hubsync.rulefiles.lines import KeyPath
from hubsync.rulefiles.records import enter_stages, entry, filled, iso
from hubsync.rulefiles.talks import CLICKS, TALKS, Talks

AGE = timedelta(days=30)
"""How long before `now` the contact was created, where the case doesn't say."""

STATES = {"lead_status": STATUS, "lifecycle_stage": STAGE}
SOURCES = {kind: f"CASE_{kind.upper()}" for kind in WRITER_KINDS}
"""A sourceType of its own for every kind of writer, whatever the portal's own map says."""

DEAL_STAGES = {"appointmentscheduled": "open", "closedwon": "won", "closedlost": "lost"}
_STAGE_OF = {outcome: stage for stage, outcome in DEAL_STAGES.items()}

APPROVER = "approver"
"""Who acts: a person, one of `approvers:` (T8)."""

DEALS = frozenset({"open_deals", "won_deals", "lost_deals", "loss_category"})
"""What a case may state of deals by number."""
STATED = frozenset(
    {f"{state}{end}" for state in STATES for end in ("", "_before", "_entered", "_by")}
    | {"owner", "email_domain", "created_by", "churned", *DEALS}
)
"""The facts that a case may state under `contact`; any other name there is a HubSpot property."""


class SituationFault(ValueError):
    """Something in a case that can't be: `path` leads to it inside the case."""

    def __init__(self, path: KeyPath, message: str) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Situation:
    """A case made concrete: the contact before the rules look at it, and when they do."""

    policy: Policy
    contact: Contact
    now: datetime


def staged(policy: Policy) -> Policy:
    """The policy with the writers and deal stages that cases are played with."""
    return replace(
        policy,
        writers={**policy.writers, **{source: kind for kind, source in SOURCES.items()}},
        deals=replace(policy.deals, stages={**policy.deals.stages, **DEAL_STAGES}),
    )


def build(
    policy: Policy, now: datetime, contact: Mapping[str, str], acts: Sequence[ActSpec], fired: Sequence[str] = ()
) -> Situation:
    """The situation of a case; `policy` is a staged one. Raises SituationFault for what can't be."""
    scene = _Scene(policy, now, contact)
    for number, act in enumerate(acts):
        scene.play(act, ("acts", number))
    return Situation(policy, _with_fired(policy, scene.contact(), now, fired), now)


def after(situation: Situation, decision: Decision) -> Situation:
    """The situation once everything decided is done, as the next look at the contact would find it."""
    contact = situation.contact
    properties = dict(contact.properties)
    history = dict(contact.history or {})
    ours = list(contact.ours)
    for change in decision.changes:
        entries = history.get(change.property, ())
        below = entries[0]["timestamp"] if entries else ""
        ours.append(
            OurWrite(change.property, change.new, below, change.cause.at, change.rule, written_at=situation.now)
        )
        history[change.property] = [entry(change.new, situation.now, SOURCES["integration"]), *entries]
        properties[change.property] = change.new or None
    enter_stages(properties, history)
    spent = {ledger_key(c.rule, c.cause, c.property) for c in decision.changes}
    spent |= {ledger_key(s.rule, s.cause, s.target) for s in decision.superseded}
    spent |= {ledger_key(t.rule, t.cause, t.template) for t in decision.tasks}
    spent |= {ledger_key(n.rule, n.cause, n.target) for n in decision.notices}
    gone = {w.task.write_id for w in decision.withdrawn}
    known = [t.write_id for t in contact.open_tasks] + [t.write_id for t in contact.completed_tasks]
    number = 1 + max(known, default=-1)
    tasks = tuple(
        OpenTask(n, str(n), t.rule, t.template, t.cause.key, untouched=True, written=situation.now)
        for n, t in enumerate(decision.tasks, start=number)
    )
    done = replace(
        contact,
        properties=properties,
        history=history,
        ours=tuple(ours),
        spent=contact.spent | spent,
        open_tasks=(*(t for t in contact.open_tasks if t.write_id not in gone), *tasks),
    )
    return Situation(situation.policy, done, situation.now)


def later(situation: Situation, now: datetime, acts: Sequence[ActSpec]) -> Situation:
    """The situation of a story's next look: what happened since on top of it. Raises SituationFault for what can't be.

    `now` must not lie before the situation's own.
    """
    if now < situation.now:
        raise SituationFault(("at",), "this is earlier than the look before it; steps stand in the order of time")
    scene = _Scene(situation.policy, now, {})
    scene.resume(situation)
    for number, act in enumerate(acts):
        scene.play(act, ("acts", number))
    return Situation(situation.policy, scene.resumed(situation.contact), now)


class _Scene:
    """A contact in the making: first what the case states, then its acts in the order of time."""

    def __init__(self, policy: Policy, now: datetime, stated: Mapping[str, str]) -> None:
        self.policy = policy
        self.now = now
        self.stated = stated
        created = stated.get("createdate", "")
        self.created = instant_or_none(created) or now - AGE
        self.properties: dict[str, str | None] = {"createdate": iso(self.created)}
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.deals: dict[str, Deal] = {}
        self.talks = Talks(policy)
        self.ours: list[OurWrite] = []
        self.open_tasks: list[OpenTask] = []
        self.completed: list[CompletedTask] = []
        self.present: dict[str, str] = {}
        self.acted: set[str] = set()
        self.latest = self.created
        if not stated.keys() & {"firstname", "lastname"}:
            self.properties["firstname"] = "Ada"
        if not stated.keys() & {"email", "email_domain", "phone", "mobilephone"}:
            self.properties["email"] = "ada@lead.example"
        for name, value in stated.items():
            self._state(name, value)
        if stated.keys() & DEALS:
            self._state_deals()

    def contact(self) -> Contact:
        """The contact as it stands. Raises SituationFault where it isn't in the state that the case says."""
        for name, present in self.present.items():
            if name not in self.acted:
                self._enter(name, present)
            elif (self.properties.get(name) or "") != present:
                key = next(k for k, p in STATES.items() if p == name)
                raise SituationFault(("contact", key), f"{key} is {self.stated[key]} here, but the acts end elsewhere")
        for name in self.policy.history:
            if name not in self.history and (value := self.properties.get(name)):
                self.history[name] = [entry(value, self.created, SOURCES[AUTOMATION])]
        enter_stages(self.properties, self.history)
        self.properties.setdefault("num_associated_deals", str(len(self.deals)))
        self.properties = {**self.talks.derived(self.now), **self.properties}
        return Contact(
            "1",
            self.properties,
            self.history,
            tuple(self.deals.values()),
            self.talks.logged(),
            tuple(self.ours),
            meetings=self.talks.met(),
            others_tasks=(),
            completed_tasks=tuple(self.completed),
        )

    def resume(self, situation: Situation) -> None:
        """Go on from a contact that was looked at before."""
        contact = situation.contact
        self.properties = dict(contact.properties)
        self.history = {name: [dict(e) for e in entries] for name, entries in (contact.history or {}).items()}
        self.deals = {deal.id: deal for deal in contact.deals or ()}
        self.talks.resume(contact)
        self.ours = list(contact.ours)
        self.open_tasks = list(contact.open_tasks)
        self.completed = list(contact.completed_tasks)
        self.latest = situation.now

    def resumed(self, contact: Contact) -> Contact:
        """The same contact after the acts played since."""
        enter_stages(self.properties, self.history)
        self.properties["num_associated_deals"] = str(len(self.deals))
        self.properties |= self.talks.derived(self.now)
        return replace(
            contact,
            properties=self.properties,
            history=self.history,
            deals=tuple(self.deals.values()),
            engagements=self.talks.logged(),
            meetings=self.talks.met(),
            ours=tuple(self.ours),
            open_tasks=tuple(self.open_tasks),
            completed_tasks=tuple(self.completed),
        )

    def _state(self, name: str, value: str) -> None:
        path = ("contact", name)
        if name in STATES:
            self.present[STATES[name]] = self._value(name, value, path)
        elif name.removesuffix("_before") in STATES and name.endswith("_before"):
            state = name.removesuffix("_before")
            self._write(STATES[state], self._value(state, value, path), self.created, SOURCES[AUTOMATION])
        elif name == "owner":
            self.properties["hubspot_owner_id"] = filled(value) or None
        elif name == "email_domain":
            self.properties["email"] = f"someone@{value}"
        elif name == "created_by":
            self.properties["hs_object_source"] = self._source(value, path)
        elif name == "churned":
            self._churn(value, path)
        elif name not in STATED:
            if name in FACTS:
                raise SituationFault(path, f'"{name}" can\'t be stated; say under acts what happened')
            self.properties[name] = filled(value) or None

    def _churn(self, value: str, path: KeyPath) -> None:
        if self.policy.churn is None:
            raise SituationFault(path, "portal.yaml has no churn: section that says how a lost customer is marked")
        name, values = self.policy.churn
        if value == "true":
            self.properties[name] = min(values)

    def _enter(self, name: str, value: str) -> None:
        """The stated present value, since when and by whom the case says, else since ever and by an automation."""
        key = next(k for k, p in STATES.items() if p == name)
        entered = self.stated.get(f"{key}_entered")
        at = instant_or_none(entered)
        if entered and at is None:
            raise SituationFault(("contact", f"{key}_entered"), f'"{entered}" is not a moment')
        source = self._source(self.stated.get(f"{key}_by", AUTOMATION), ("contact", f"{key}_by"))
        if at is None:
            at = self.created + timedelta(days=1) if f"{key}_before" in self.stated else self.created
        if value or f"{key}_before" in self.stated or entered:
            self._write(name, value, at, source)

    def _state_deals(self) -> None:
        """Deals by number, for cases that don't care when: opened a day after the contact, closed a day later."""
        category = self.stated.get("loss_category")
        reasons = self.policy.deals.categories
        if category is not None and category not in {*reasons, "other"}:
            raise SituationFault(
                ("contact", "loss_category"), f'"{category}" is no loss category{did_you_mean(category, reasons)}'
            )
        opened = self.created + timedelta(days=1)
        for outcome in ("open", "won", "lost"):
            number = self.stated.get(f"{outcome}_deals", "0")
            if not number.isdigit():
                raise SituationFault(("contact", f"{outcome}_deals"), f'"{number}" is not a number')
            for index in range(int(number)):
                act = DealAct(id=f"{outcome} {index + 1}", reason=reasons.get(category or "", (None,))[0])
                self._deal(act, "open", opened)
                if outcome != "open":
                    self._deal(act, outcome, opened + timedelta(days=1))

    def play(self, act: ActSpec, path: KeyPath) -> None:
        """Let one thing happen. Raises SituationFault for what is out of order or can't be."""
        if act.at < self.latest:
            before = "the act before it" if self.latest > self.created else "the contact's createdate"
            raise SituationFault((*path, "at"), f"this is earlier than {before}; acts stand in the order of time")
        if act.at > self.now:
            raise SituationFault((*path, "at"), "this is later than the case's now")
        self.latest, kind = act.at, act.kind
        if act.set is not None:
            source = SOURCES["integration"] if act.by == "hubsync" else self._source(act.by, (*path, "by"))
            user = self._approver((*path, "by")) if act.by == APPROVER else None
            for name, text in act.set.items():
                value = self._value(name, text, (*path, "set", name)) if name in STATES else filled(text)
                self._write(STATES.get(name, name), value, act.at, source, act.rule, user)
                self.acted.add(STATES.get(name, name))
        elif kind in TALKS:
            self.talks.play(act, self.properties.get("hubspot_owner_id") or "11")
        elif (meeting := act.meeting_booked or act.meeting_held) is not None:
            self.talks.meet(act, meeting, self.properties.get("hubspot_owner_id") or "11")
        elif kind in CLICKS:
            self.properties[CLICKS[kind]] = iso(act.at)
        elif act.task_completed is not None:
            self._complete(act.task_completed.template, act.at, (*path, "task_completed", "template"))
        else:
            self._deal(getattr(act, kind), kind.removeprefix("deal_").replace("opened", "open"), act.at)

    def _complete(self, template: str, at: datetime, path: KeyPath) -> None:
        """A person completes the open task of a template; one that no look has written was written an hour before."""
        open_one = next((t for t in self.open_tasks if t.template == template), None)
        rule = next((r for r in self.policy.rules if any(t.template == template for t in r.tasks)), None)
        if open_one is None and rule is None:
            known = did_you_mean(template, [t.template for r in self.policy.rules for t in r.tasks])
            raise SituationFault(path, f'"{template}" is the template of no rule\'s task{known}')
        if open_one is not None:
            self.open_tasks.remove(open_one)
            self.completed.append(CompletedTask(open_one.write_id, open_one.rule, template, open_one.written or at, at))
        elif rule is not None:
            self.completed.append(
                CompletedTask(-1 - len(self.completed), rule.id, template, at - timedelta(hours=1), at)
            )

    def _deal(self, act: DealAct, outcome: str, at: datetime) -> None:
        stage = _STAGE_OF[outcome]
        known = self.deals.get(act.id)
        pipelines = sorted(self.policy.deals.pipelines)
        properties: dict[str, str | None] = {"createdate": iso(at), **(known.properties if known else {})}
        properties |= {
            "dealstage": stage,
            "hs_is_closed": str(outcome != "open").lower(),
            "hs_is_closed_won": str(outcome == "won").lower(),
        }
        if act.reason is not None:
            properties["closed_lost_reason"] = act.reason
        if act.amount is not None:
            properties["amount"] = act.amount
        if act.closes is not None:
            properties["closedate"] = iso(act.closes)
        self.deals[act.id] = Deal(
            act.id,
            act.pipeline or (known.pipeline if known else pipelines[0] if pipelines else "default"),
            properties,
            (StageVisit(stage, at), *(known.stage_history if known else ())),
            frozenset(act.labels) or (known.labels if known else frozenset()),
            act.primary or (known.primary if known else False),
        )

    def _write(
        self, name: str, value: str, at: datetime, source: str, rule: str | None = None, user: str | None = None
    ) -> None:
        entries = self.history.setdefault(name, [])
        if rule is not None:
            below = entries[0]["timestamp"] if entries else ""
            self.ours.append(OurWrite(name, value, below, at, rule, written_at=at))
        entries.insert(0, entry(value, at, source, user))
        self.properties[name] = value or None

    def _value(self, state: str, text: str, path: KeyPath) -> str:
        """HubSpot's value of a policy key; "" for none."""
        if text == "none":
            return ""
        terms: Terms = self.policy.statuses if state == "lead_status" else self.policy.stages
        if text not in terms.by_key:
            what = state.replace("_", " ").capitalize()
            raise SituationFault(path, f'"{text}" is no {what} of portal.yaml{did_you_mean(text, terms.by_key)}')
        return terms.value(text)

    def _approver(self, path: KeyPath) -> str:
        """The user id of one of `approvers:`."""
        if not self.policy.data.approvers:
            raise SituationFault(path, "portal.yaml names no approvers; name one under the case's portal:")
        return min(self.policy.data.approvers)

    def _source(self, who: str, path: KeyPath) -> str:
        if who == APPROVER:
            return SOURCES[PERSON]
        if who in SOURCES:
            return SOURCES[who]
        if not who.isupper():
            raise SituationFault(
                path, f'"{who}" writes nothing; write {", ".join(SOURCES)} or a sourceType in capitals'
            )
        return who


def _with_fired(policy: Policy, contact: Contact, now: datetime, fired: Sequence[str]) -> Contact:
    """The contact with the present causes of some rules spent, as if they had acted on them before."""
    if not fired:
        return contact
    spent: set[str] = set()
    for number, name in enumerate(fired):
        rule = policy.rule(name)
        if rule is None:
            known = did_you_mean(name, [r.id for r in policy.rules])
            raise SituationFault(("fired", number), f'"{name}" is no rule{known}')
        cause = rule.cause(View(policy, contact, now))
        if cause is None or isinstance(cause, Missing):
            raise SituationFault(("fired", number), f"{name} has no cause here, so it can't have fired")
        spent |= {ledger_key(rule.id, cause, target) for target in rule.targets}
    return replace(contact, spent=contact.spent | spent)
