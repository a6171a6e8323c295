"""What rule files say of a lead's data, compiled for one portal: requirements, scoring, high value and approvers.

A property the portal lacks is never demanded nor scored; it is a gap, told by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hubsync.policy.approval import APPROVAL
from hubsync.policy.conditions import Test
from hubsync.policy.data import FORM_DATE, FORM_NAME, DataTerms, Points, Requirement, Scoring
from hubsync.policy.facts import FACTS
from hubsync.policy.gaps import PORTAL
from hubsync.policy.policy import Gap
from hubsync.policy.portal_spec import RequirementSpec
from hubsync.policy.rules import all_of, any_of
from hubsync.policy.spec import PointsSpec, ScoringSpec
from hubsync.policy.words import did_you_mean
from hubsync.policy.worktime import Duration, parse_duration

if TYPE_CHECKING:
    from hubsync.policy.compile import KeyPath, _Compiler

FADING = {"day": timedelta(days=1), "week": timedelta(weeks=1)}


def compile_data(owner: _Compiler) -> DataTerms:
    """The terms of the files for the compiler's portal; faults are reported, gaps noted."""
    portal = owner.files.portal
    known = {id_: _requirement(owner, id_, spec) for id_, spec in portal.requirements.items()}
    required = {key: _listed(owner, ids, known, ("required_data", key)) for key, ids in portal.required_data.items()}
    for key in portal.required_data:
        if key not in portal.statuses:
            near = did_you_mean(key, portal.statuses)
            owner.report(PORTAL, ("required_data", key), f'"{key}" is not one of the statuses{near}')
    qualification = _listed(owner, portal.qualification, known, ("qualification",))
    for number, id_ in enumerate(portal.qualification):
        if id_ in portal.requirements and any(name in FACTS for name in portal.requirements[id_].any_of or [*FACTS]):
            owner.report(
                PORTAL, ("qualification", number), f'"{id_}" must be a property, so that it is known since when'
            )
    scoring = _scoring(owner)
    users, approver = _approvers(owner)
    names = {name for one in qualification for name in one.properties} | (scoring.history if scoring else set())
    owner.asked |= names
    if users:
        owner.asked.add(APPROVAL)
        names.add(APPROVAL)
    return DataTerms(
        required={t.value: required.get(t.key) or required.get(t.like, ()) for t in owner.statuses.terms},
        qualification=qualification,
        scoring=scoring,
        high_value=_high_value(owner),
        approvers=users,
        approver=approver,
        history=frozenset(names),
        free_text=frozenset(
            name
            for one in known.values()
            if one is not None
            for name in one.properties
            if (shape := owner.schema.properties.get(name)) is not None and shape.type == "string"
        ),
    )


def meanings(owner: _Compiler) -> dict[str, Any]:
    """What the rule files say of facts, without words for people: a rule that asks one changes its meaning with it.

    Only of sections that say something.
    """
    portal = owner.files.portal
    asked = {id_: [one.any_of, one.when] for id_, one in portal.requirements.items()}
    found: dict[str, Any] = {
        "missing_data": [asked, portal.required_data] if portal.required_data else None,
        "qualification_completed": [[asked.get(id_) for id_ in portal.qualification]] if portal.qualification else None,
        "high_value": portal.high_value or None,
        "approved_by_listed_approver": sorted(portal.approvers) or None,
    }
    for content in owner.files.rules.values():
        if content.scoring is not None:
            points = [one.model_dump(exclude={"says"}) for one in content.scoring.points]
            said = [content.scoring.model_dump(exclude={"points"}), points]
            found |= dict.fromkeys(("score", "engagement_score", "score_reached"), said)
    return {name: said for name, said in found.items() if said is not None}


def unset(owner: _Compiler) -> dict[str, str]:
    """Facts and causes that tell nothing until somebody fills a section of the rule files, and which."""
    found: dict[str, str] = {}
    if not owner.data.approvers:
        found["approved_by_listed_approver"] = "approvers: in portal.yaml (whose approval counts)"
    if owner.data.scoring is None:
        found |= dict.fromkeys(("score_reached", "score_differs", "score_changed"), "scoring: (what earns points)")
    if not owner.data.qualification:
        found["qualification_completed"] = "qualification: in portal.yaml (what a lead is qualified by)"
    return found


def _requirement(owner: _Compiler, id_: str, spec: RequirementSpec) -> Requirement | None:
    """None where the portal has no property that could hold it."""
    path: KeyPath = ("requirements", id_)
    label = owner.texts.translated.requirements.get(id_, spec.label)
    if spec.when is not None:
        return Requirement(id_, label, all_of(owner.conditions(spec.when, PORTAL, (*path, "when"))))
    there = [name for name in spec.any_of if name in FACTS or owner.schema.has(name)]
    lacking = [name for name in spec.any_of if name not in there and name not in owner.files.portal.properties]
    if not there:
        owner.gaps += [Gap("", "A16", f"property {name} (requirements: {id_})", off=False) for name in lacking]
        return None
    tests = [all_of(owner.conditions({name: {"is_known": "true"}}, PORTAL, (*path, "any_of"))) for name in there]
    return Requirement(id_, label, any_of(tests), tuple(name for name in there if name not in FACTS))


def _listed(
    owner: _Compiler, ids: list[str], known: Mapping[str, Requirement | None], path: KeyPath
) -> tuple[Requirement, ...]:
    for number, id_ in enumerate(ids):
        if id_ not in known:
            near = did_you_mean(id_, known)
            owner.report(PORTAL, (*path, number), f'"{id_}" is not one of the requirements{near}')
    return tuple(one for id_ in ids if (one := known.get(id_)) is not None)


def _scoring(owner: _Compiler) -> Scoring | None:
    found = [(file, content.scoring) for file, content in owner.files.rules.items() if content.scoring is not None]
    for file, _ in found[1:]:
        owner.report(file, ("scoring",), f"the points are counted by {found[0][0]} already; keep one of the two")
    if not found:
        return None
    file, spec = found[0]
    own = spec.hubspot_score if owner.schema.has(spec.hubspot_score) else ""
    if spec.hubspot_score and not own:
        owner.gaps.append(Gap("", "P1", f"property {spec.hubspot_score} (hubspot_score in {file})", off=False))
    window, half_life = _lasting(owner, file, spec)
    return Scoring(
        target=spec.property,
        points=tuple(_points(one) for one in spec.points if _is_told(owner, file, one)),
        threshold=spec.threshold,
        window=window,
        half_life=half_life,
        hubspot_score=own,
    )


def _lasting(owner: _Compiler, file: str, spec: ScoringSpec) -> tuple[Duration | None, timedelta | None]:
    """The window or the half-life; a fault is reported."""
    key = "window" if spec.window is not None else "half_life"
    try:
        duration = parse_duration(spec.window or spec.half_life or "")
    except ValueError as error:
        owner.report(file, ("scoring", key), str(error))
        return None, None
    if duration.business or not duration.amount or (key == "half_life" and duration.unit not in FADING):
        owner.report(file, ("scoring", key), f'"{duration}" can\'t be used here; write calendar time such as "3 weeks"')
        return None, None
    if key == "window":
        return duration, None
    return None, duration.amount * FADING[duration.unit]


def _is_told(owner: _Compiler, file: str, spec: PointsSpec) -> bool:
    """Whether the portal has what tells of the event; a gap where it hasn't."""
    names = [FORM_DATE, FORM_NAME] if spec.form else [spec.date or spec.property or ""]
    lacking = [name for name in names if not owner.schema.has(name)]
    owner.gaps += [Gap("", "P1", f"property {name} (points: {spec.id} in {file})", off=False) for name in lacking]
    return not lacking


def _points(spec: PointsSpec) -> Points:
    return Points(
        spec.id,
        spec.points,
        date=spec.date or "",
        property=spec.property or "",
        values=frozenset(spec.values),
        form=tuple(word.casefold() for word in spec.form),
    )


def _high_value(owner: _Compiler) -> Test | None:
    groups = owner.files.portal.high_value
    if not groups:
        return None
    return any_of([all_of(owner.conditions(g, PORTAL, ("high_value", n))) for n, g in enumerate(groups)])


def _approvers(owner: _Compiler) -> tuple[frozenset[str], str | None]:
    """The user ids of `approvers:`, and the first one's owner id; who is no owner of the portal is a gap.

    Where no portal is known, an approver's entry stands for both.
    """
    said, schema = owner.files.portal.approvers, owner.schema
    if not schema.complete:
        return frozenset(said), said[0] if said else None
    found = [(schema.owner_ids.get(who.casefold(), who), who) for who in said]
    listed = [(owner_id, schema.owner_users[owner_id]) for owner_id, _ in found if owner_id in schema.owner_users]
    owner.gaps += [
        Gap("", "T8", f'an owner "{who}" (approvers)', off=False) for id_, who in found if id_ not in schema.owner_users
    ]
    return frozenset(user for _, user in listed), listed[0][0] if listed else None
