"""A fault told so that one can see it: as a story with file:line of every rule, and as a case that shows it.

The case goes into a `*_test.yaml` beside the rules: `hubsync rules test` plays it, and it fails until they are mended.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from hubsync.policy.compile import MATRIX
from hubsync.policy.policy import Horizon
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.proving.checks import COVERAGE, EVER, Fault
from hubsync.proving.course import KEYS, Look, follow
from hubsync.proving.ground import Ground, constant
from hubsync.proving.options import NOW
from hubsync.rulefiles.case_spec import ActSpec
from hubsync.rulefiles.load import LoadedRules
from hubsync.rulefiles.outcomes import Outcome, done

_PLAIN = re.compile(r"[A-Za-z0-9_.+-][A-Za-z0-9_.+:-]*(?: [A-Za-z0-9_.+-]+)*")


def position(loaded: LoadedRules, name: str) -> str:
    """`file:line` of a rule, a cell of the matrix or a declared workflow; "" for an unknown name."""
    for file, content in loaded.files.rules.items():
        written = {"rules": [r.id for r in content.rules], "foreign": [f.id for f in content.foreign]}
        for section, ids in written.items():
            if name in ids:
                return f"{file}:{loaded.documents[file].where((section, ids.index(name), 'id'))[0]}"
    for number, row in enumerate(loaded.files.matrix.matrix):
        stages = row.row.lifecycle_stage
        side = (
            ""
            if row.row.open_deals is None
            else "open_deal_"
            if "is_more_than" in row.row.open_deals
            else "without_deal_"
        )
        for stage in [stages] if isinstance(stages, str) else stages:
            for names in row.cells:
                for status in names.split(","):
                    cell = f"cell_{stage}_{side}{status.strip()}"
                    if name == cell or (name.startswith(f"{cell}_") and name.removeprefix(f"{cell}_") in _ANSWERS):
                        return f"{MATRIX}:{loaded.documents[MATRIX].where(('matrix', number, 'cells', names))[0]}"
    return ""


_ANSWERS = {"open", "lost", "unfit", "won", "none"}


def where(loaded: LoadedRules, name: str) -> str:
    """A rule's name with its place."""
    place = position(loaded, name)
    return f"{name} ({place})" if place else name


def story(ground: Ground, fault: Fault) -> Iterator[str]:
    """What happens, one line each, from the first thing to the fault."""
    if fault.start is None:
        return
    words = ", ".join(f"{name} {value}" for name, value in fault.start.contact if name != "createdate")
    yield f"a contact created {_day(_created(fault))}: {words}"
    for one in fault.start.acts:
        yield f"{_moment(one.at)}  {_happened(one)}"
    for look in _shown(ground, fault):
        if look.answered is not None:
            flow, act = look.answered
            yield f"{_moment(act.at)}  the workflow {where(ground.loaded, flow.id)}: {_happened(act)}"
        yield from (f"{_moment(look.situation.now)}  {line}" for line in _decided(ground, look))


def case(ground: Ground, fault: Fault) -> str:
    """A case in YAML that `hubsync rules test` plays: it says what should be, and fails while the fault is there."""
    if fault.start is None:
        return ""
    looks = _shown(ground, fault)
    lines = ["cases:", f"  - name: {_flow(fault.message)}", f"    now: {_iso(NOW)}"]
    if fault.start.since is not None:
        lines.append(f"    since: {_iso(fault.start.since)}")
    lines.append(f"    contact: {_flow(dict(fault.start.contact))}")
    if fault.start.acts:
        lines += ["    acts:", *(f"      - {_flow(_written(one))}" for one in fault.start.acts)]
    if not looks or fault.kind == COVERAGE:
        return "\n".join([*lines, f"    expect: {_flow(_wanted(ground, fault))}", ""])
    first, steps = (looks[0], looks[1:]) if looks[0].situation.now == NOW and not looks[0].answered else (None, looks)
    last = looks[-1]
    lines.append(f"    expect: {_flow(_expected(ground, first) if first is not None and first is not last else [])}")
    if steps:
        lines.append("    steps:")
    for look in steps:
        lines.append(f"      - at: {_iso(look.situation.now)}")
        if look.answered is not None:
            lines.append(f"        acts: [{_flow(_written(look.answered[1]))}]")
        lines.append(f"        expect: {_flow([] if look is last else _expected(ground, look))}")
    return "\n".join([*lines, ""])


def _shown(ground: Ground, fault: Fault) -> list[Look]:
    """The looks that matter, up to the one at which the fault shows, with everything that is decided at them."""
    situation = fault.start.situation(ground.policy) if fault.start is not None else None
    if fault.start is None or fault.at is None or situation is None:
        return []
    horizon = EVER if fault.start.since is None else Horizon(fault.start.since)
    looks = follow(situation, horizon, fault.at, ground.habits if fault.habits else ()).looks
    last = next((k for k in looks if k.situation.now >= fault.at and k.decides >= fault.acts), looks[-1])
    kept = looks[: looks.index(last) + 1]
    return [k for k in kept if k.decides or k.answered is not None or k is last]


def _decided(ground: Ground, look: Look) -> Iterator[str]:
    decision = look.decision
    for change in decision.changes:
        name, value = _named(ground, change.property, change.new)
        yield f"{where(ground.loaded, change.rule)} sets {name} to {value}"
    for task in decision.tasks:
        yield f"{where(ground.loaded, task.rule)} creates the task {task.template}"
    for conflict in decision.conflicts:
        wants = [f"{where(ground.loaded, r)} {_named(ground, conflict.property, v)[1]}" for r, v in conflict.wants]
        yield f"nothing is written: {', '.join(wants)} for {KEYS.get(conflict.property, conflict.property)}"
    if not decision.acts and not decision.conflicts:
        yield "hubsync looks and changes nothing"


def _named(ground: Ground, name: str, value: str) -> tuple[str, str]:
    return KEYS.get(name, name), ground.key(name, value) if name in {STATUS, STAGE} else value or "none"


def _happened(one: ActSpec) -> str:
    if one.set is not None:
        return f"{', '.join(f'{name} becomes {value}' for name, value in one.set.items())}, by {one.by}"
    return f"{one.kind.replace('_', ' ')} {_flow(_detail(one))}".removesuffix(" {}")


def _detail(one: ActSpec) -> Any:
    detail = getattr(one, one.kind)
    return detail.model_dump(exclude_defaults=True) if hasattr(detail, "model_dump") else detail


def _written(one: ActSpec) -> dict[str, Any]:
    by = {"by": one.by} if one.set is not None else {}
    return {"at": _iso(one.at), one.kind: _detail(one), **by}


def _expected(ground: Ground, look: Look) -> list[Any]:
    """What came, as a case expects it."""
    return [_as_expectation(outcome) for outcome in done(look.decision, ground.policy)]


def _as_expectation(outcome: Outcome) -> dict[str, Any]:
    if outcome.kind in {"set", "propose", "backlog"}:
        return {outcome.kind: {outcome.about: outcome.value}, "rule": outcome.rule}
    if outcome.kind == "task":
        return {"task": {"template": outcome.about}, "rule": outcome.rule}
    return {outcome.kind: outcome.about}


def _wanted(ground: Ground, fault: Fault) -> list[Any]:
    """What a rule that is never heard would do."""
    rule = ground.policy.rule(fault.rules[0]) if fault.rules else None
    if rule is None:
        return []
    sets = [_named(ground, a.property, constant(a) or "") for a in rule.sets if constant(a) is not None]
    if sets:
        return [{"set": dict(sets[:1]), "rule": rule.id}]
    return [{"task": {"template": rule.tasks[0].template}, "rule": rule.id}] if rule.tasks else [{"finding": rule.id}]


def _created(fault: Fault) -> datetime:
    words = dict(fault.start.contact) if fault.start is not None else {}
    return datetime.fromisoformat(words["createdate"])


def _day(at: datetime) -> str:
    return f"{at.day} {at:%B %Y}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _flow(value: Any) -> str:
    """A value as YAML on one line, of text alone."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    text = {True: "true", False: "false", None: "none"}.get(value, value) if not isinstance(value, str) else value
    return str(text) if _PLAIN.fullmatch(str(text)) else '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
