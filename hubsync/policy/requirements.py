"""Data that a Lead status requires (playbook section 4, A16), and the list a lead is qualified by (P2).

What is required is policy data (`requirements:`, `required_data:` and `qualification:` in portal.yaml); a property the
portal lacks is never demanded. Pure: it asks the contact's view and nothing else.
"""

from __future__ import annotations

from datetime import datetime

from hubsync.policy.view import Missing, View, once


@once
def missing_data(view: View) -> str | Missing | None:
    """The labels of what the present Lead status requires and the record lacks; None where nothing is missing."""
    unknown = 0
    labels: list[str] = []
    for requirement in view.policy.data.required.get(view.status, ()):
        answer = requirement.test(view)
        if answer == 0:
            labels.append(requirement.label)
        elif answer < 0:
            unknown |= -answer
    if unknown:
        return Missing(unknown)
    return ", ".join(labels) or None


def qualification_completed(view: View) -> datetime | Missing | None:
    """When the last entry of the qualification list became known (P2); None while one of them is missing."""
    wanted = view.policy.data.qualification
    get = view.properties.get
    known = [[name for name in one.properties if get(name)] for one in wanted]
    if not known or not all(known):
        return None
    moments: list[datetime] = []
    for names in known:
        since: list[datetime] = []
        for name in names:
            at = view.entered(name)
            if isinstance(at, Missing):
                return at
            since.append(at)
        moments.append(min(since))
    return max(moments)
