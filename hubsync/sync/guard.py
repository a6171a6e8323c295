"""The guard of one-shot runs: a plan that would touch too much is refused before its first write (design 5)."""

from __future__ import annotations

from dataclasses import dataclass

from hubsync.errors import UnsafePlan
from hubsync.policy.portal_spec import GuardSpec


@dataclass(frozen=True, slots=True)
class Limits:
    """`share` of the contacts in scope, but never fewer than `at_least`; `tasks` a run; `allow_*` lift them once."""

    share: float
    at_least: int
    tasks: int
    allow_changes: int | None = None
    allow_tasks: int | None = None

    def refuse_too_much(self, contacts: int, in_scope: int, tasks: int) -> None:
        """Raise UnsafePlan where a plan would change more contacts, or create more tasks, than is allowed."""
        limit = max(self.at_least, int(self.share * in_scope))
        if contacts > (self.allow_changes if self.allow_changes is not None else limit):
            raise UnsafePlan(
                f"plan: {contacts:,} of {in_scope:,} contacts in scope would change, the limit is {self.share:.0%} "
                f"and at least {self.at_least}. Nothing was written. Look at the plan (without --write), then allow it "
                f"once with --allow-changes {contacts}."
            )
        if tasks > (self.allow_tasks if self.allow_tasks is not None else self.tasks):
            raise UnsafePlan(
                f"plan: {tasks:,} tasks would be created, the limit is {self.tasks:,} a run. Nothing was written. "
                f"Look at the plan (without --write), then allow it once with --allow-tasks {tasks}, which also lets "
                "an owner get more new tasks than portal.yaml grants a day."
            )


def limits_of(spec: GuardSpec, allow_changes: int | None = None, allow_tasks: int | None = None) -> Limits:
    """The limits that portal.yaml sets under `guard:`, with what the command line allows once."""
    return Limits(float(spec.share.rstrip("% ")) / 100, spec.at_least, spec.tasks, allow_changes, allow_tasks)
