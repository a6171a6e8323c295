"""What a portal is like, and the policy compiled for it: read once at the start of every run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog

from hubsync.errors import PortalPermanentError, TokenRefused, WrongPortal
from hubsync.policy.policy import Policy, PropertyShape, Schema
from hubsync.policy.retention import RETENTION
from hubsync.policy.vocabulary import STAGE, STATUS, Option
from hubsync.portal.gateway import Gateway
from hubsync.portal.values import Account, Owner, Pipeline, PropertyDefinition
from hubsync.rulefiles.load import LoadedRules

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class BoundPortal:
    """A portal with the policy that applies to it. `definitions` are its contact properties by internal name."""

    account: Account
    definitions: dict[str, PropertyDefinition]
    owners: tuple[Owner, ...]
    pipelines: tuple[Pipeline, ...]
    policy: Policy
    retention: timedelta = RETENTION
    """Causes older than this are backlog, since their rows of the ledger may have been purged."""

    @property
    def id(self) -> int:
        """The portal's number."""
        return self.account.portal_id

    @property
    def stage_values(self) -> list[str]:
        """Lifecycle stages in the portal's order, as HubSpot's values."""
        order = self.policy.stage_order
        return sorted(order, key=order.__getitem__)

    def owner_name(self, owner_id: str | None) -> str:
        """An owner's name for people; the id where it is unknown, "nobody" for none."""
        if not owner_id:
            return "nobody"
        owner = next((o for o in self.owners if o.id == owner_id), None)
        return f"{owner.first_name} {owner.last_name}".strip() or owner_id if owner else owner_id


def bind(
    gateway: Gateway,
    rules: LoadedRules,
    *,
    settle: timedelta | None = None,
    known_portal: int | None = None,
    retention: timedelta = RETENTION,
) -> BoundPortal:
    """Read what the portal has and compile the rules for it. Five calls, six with many owners.

    Raises WrongPortal where the token belongs to another portal than the database, TokenRefused where contacts or
    deals may not be read, RuleFileError for faults in the rule files.
    """
    account = gateway.account()
    if known_portal is not None and known_portal != account.portal_id:
        raise WrongPortal(
            f"The token belongs to portal {account.portal_id}, the database to portal {known_portal}. "
            "Nothing was done. Use the token of that portal, or another HUBSYNC_DATABASE_URL."
        )
    definitions = gateway.properties("contacts")
    pipelines = gateway.deal_pipelines()
    try:
        owners = gateway.owners()
    except TokenRefused as error:
        if error.status != 403:
            raise
        log.warning("portal.owners_unreadable", needs="crm.objects.owners.read")
        owners = ()
    policy = rules.compile(schema_of(account, definitions, pipelines, owners), settle=settle)
    return BoundPortal(account, definitions, owners, pipelines, policy, retention)


def schema_of(
    account: Account,
    definitions: dict[str, PropertyDefinition],
    pipelines: tuple[Pipeline, ...],
    owners: tuple[Owner, ...],
) -> Schema:
    """The portal as the policy sees it. Raises PortalPermanentError where it lacks the two fields altogether."""
    for name in (STATUS, STAGE):
        if name not in definitions:
            raise PortalPermanentError(f"Portal {account.portal_id} has no contact property {name}.")

    def options(name: str) -> tuple[Option, ...]:
        return tuple(Option(o.value, o.label, o.order, o.hidden) for o in definitions[name].options)

    return Schema(
        statuses=options(STATUS),
        stages=options(STAGE),
        properties={
            name: PropertyShape(d.type, frozenset(o.value for o in d.options)) for name, d in definitions.items()
        },
        deal_stages={
            stage.id: "won" if stage.won else "lost" if stage.closed else "open"
            for pipeline in pipelines
            for stage in pipeline.stages
        },
        zone=account.time_zone,
        owner_teams={
            o.id: tuple(t.name for t in sorted(o.teams, key=lambda t: not t.primary)) for o in owners if o.teams
        },
        owner_ids={**{o.email.casefold(): o.id for o in owners if o.email}, **{o.id: o.id for o in owners}},
        owner_users={o.id: o.user_id for o in owners if o.user_id},
        owner_emails=frozenset(o.email.casefold() for o in owners if o.email),
    )
