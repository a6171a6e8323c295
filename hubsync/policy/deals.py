"""What a contact's deals say of it (playbook D8, A7, A12, A13): open, won, lost, since when, and why lost.

Moments come from the history of the deal's stage, never from its close date (design 4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hubsync.policy.contact import Deal
from hubsync.policy.instants import EPOCH, instant_or_none

OPEN, WON, LOST = "open", "won", "lost"
ANY_PIPELINE = "all"


@dataclass(frozen=True, slots=True)
class DealTerms:
    """How to read deals: which pipelines count, what each stage means, and the words that tell why a deal was lost.

    `stages` maps a deal stage's internal id to open, won or lost; `categories` maps a loss category to the words
    found in the free text `closed_lost_reason`; `contacts` is the setting of A7.
    """

    pipelines: frozenset[str]
    stages: Mapping[str, str]
    categories: Mapping[str, tuple[str, ...]]
    ignored_labels: frozenset[str] = frozenset()
    contacts: str = "with_status"
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Milestone:
    """A deal that reached open, won or lost, and when."""

    deal: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DealSummary:
    """Counts by outcome and the latest deal of each; `loss_category` is that of the deal lost last."""

    open: int = 0
    won: int = 0
    lost: int = 0
    opened: Milestone | None = None
    last_won: Milestone | None = None
    last_lost: Milestone | None = None
    loss_category: str | None = None
    closes: Milestone | None = None
    """The open deal whose close date comes first, and that date; it says what is expected, not what happened."""
    step: Milestone | None = None
    """The open deal that stands longest in one step, and since when."""
    loss_reason: str | None = None
    """The free text beside it (`closed_lost_reason`)."""
    amount: str | None = None
    """How much the newest open deal is worth."""
    covered: bool = False
    """Whether A7's setting `contacts` lets the open deals speak for this contact."""


def outcome(deal: Deal, terms: DealTerms) -> str:
    """Open, won or lost, by the deal's stage; a stage the pipelines don't list falls back on HubSpot's own flags."""
    stage = deal.properties.get("dealstage") or ""
    known = terms.stages.get(stage)
    if known:
        return known
    if deal.properties.get("hs_is_closed_won") == "true":
        return WON
    return LOST if deal.properties.get("hs_is_closed") == "true" else OPEN


def reached(deal: Deal, kind: str, terms: DealTerms) -> datetime:
    """Since when the deal is in this outcome without a break: the oldest visit of the newest run of such stages.

    A step it once passed and the pipelines no longer list was an open one.
    """
    since: datetime | None = None
    for visit in deal.stage_history:
        if since is not None and terms.stages.get(visit.stage, OPEN) != kind:
            break
        since = visit.at
    return since or instant_or_none(deal.properties.get("createdate")) or EPOCH


def step_entered(deal: Deal) -> datetime:
    """Since when the deal is in its present step."""
    since: datetime | None = None
    for visit in deal.stage_history:
        if visit.stage != deal.stage_history[0].stage:
            break
        since = visit.at
    return since or instant_or_none(deal.properties.get("createdate")) or EPOCH


def category(reason: str | None, categories: Mapping[str, tuple[str, ...]]) -> str:
    """The first category one of whose words occurs in the reason, "other" if none does."""
    text = (reason or "").casefold()
    return next((name for name, words in categories.items() if any(w.casefold() in text for w in words)), "other")


def summarise(deals: Iterable[Deal], terms: DealTerms) -> DealSummary:
    """Read the deals that count (pipeline and label, D8); equal moments are ordered by the deal's id."""
    counts = {OPEN: 0, WON: 0, LOST: 0}
    latest: dict[str, tuple[Milestone, Deal]] = {}
    closes: list[tuple[datetime, str]] = []
    steps: list[tuple[datetime, str]] = []
    covered = False
    for deal in deals:
        if ANY_PIPELINE not in terms.pipelines and deal.pipeline not in terms.pipelines:
            continue
        if deal.labels and deal.labels <= terms.ignored_labels:
            continue
        kind = outcome(deal, terms)
        counts[kind] += 1
        if kind == OPEN:
            covered = covered or _covers(deal, terms)
            steps.append((step_entered(deal), deal.id))
            if (close := instant_or_none(deal.properties.get("closedate"))) is not None:
                closes.append((close, deal.id))
        mark = Milestone(deal.id, reached(deal, kind, terms))
        if kind not in latest or (mark.at, mark.deal) > (latest[kind][0].at, latest[kind][0].deal):
            latest[kind] = (mark, deal)
    lost = latest.get(LOST)
    newest = latest[OPEN][1].properties if OPEN in latest else {}
    return DealSummary(
        open=counts[OPEN],
        won=counts[WON],
        lost=counts[LOST],
        opened=latest[OPEN][0] if OPEN in latest else None,
        last_won=latest[WON][0] if WON in latest else None,
        last_lost=lost[0] if lost else None,
        loss_category=category(lost[1].properties.get("closed_lost_reason"), terms.categories) if lost else None,
        closes=_earliest(closes),
        step=_earliest(steps),
        loss_reason=(lost[1].properties.get("closed_lost_reason") or None) if lost else None,
        amount=newest.get("amount") or None,
        covered=covered,
    )


def _earliest(found: list[tuple[datetime, str]]) -> Milestone | None:
    at, deal = min(found, default=(None, ""))
    return None if at is None else Milestone(deal, at)


def _covers(deal: Deal, terms: DealTerms) -> bool:
    if terms.contacts == "primary":
        return deal.primary
    if terms.contacts == "labelled":
        return bool(deal.labels & terms.labels)
    return True
